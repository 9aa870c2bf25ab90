// What a screen or a manager's client sees of the calls that run. Pure.
export {
  type BoardCall,
  type BoardOptions,
  type BoardTotals,
  boardTrail,
  CallBoard,
  type SourceChanges,
  type StreamTrail,
  streamTrail,
} from './board.js'
export type { CallView, LiveChanges, LiveState, StreamView } from './call-view.js'
export { streamsShown } from './call-view.js'
export { LiveCalls } from './live-calls.js'
export { recordView } from './record-view.js'
export { Trail } from './trail.js'
export { problemsOfView, viewJson } from './view-json.js'
