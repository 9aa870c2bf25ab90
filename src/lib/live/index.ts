// What a screen or a manager's client sees of the calls that run. Pure.
export type { CallView, LiveChanges, LiveState, StreamView } from './call-view.js'
export { streamsShown } from './call-view.js'
export { LiveCalls } from './live-calls.js'
