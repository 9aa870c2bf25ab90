import type { Call } from '../call/call.js'
import type { CallStream, MediaIndex } from '../call/media.js'
import type { Host } from '../call/record.js'
import { StreamSample } from './stream-sample.js'

/** A call with what the samples know of it. */
export interface LiveCall {
  readonly call: Call
  readonly media: MediaIndex
  readonly samples: Map<CallStream, StreamSample>
  readonly callerAddr: Host
  readonly calleeAddr: Host
  /** A batch has told of it. */
  told: boolean
}

/** The sample of a stream, made when it is first asked for. */
export function sampleOf({ samples, media }: LiveCall, stream: CallStream): StreamSample {
  let sample = samples.get(stream)
  if (sample === undefined) {
    sample = new StreamSample(stream, media)
    samples.set(stream, sample)
  }
  return sample
}
