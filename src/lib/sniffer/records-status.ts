/** How the records of a run fare on their way to the store: for the summary, metrics and the manager. */
export interface RecordsStatus {
  /** `retrying`: the store is away or busy. `refused`: it takes nothing until somebody acts. `given up`: a file run that waited long enough. */
  readonly state: 'ok' | 'retrying' | 'refused' | 'given up'
  /** Records that are not in the store yet: on disk, or in memory. */
  readonly waiting: number
  readonly waitingInMemory: number
  readonly waitingBytes: number
  /** Wall-clock time, ms since the epoch, at which the first of them was queued. Its distance from now is the age of the queue. */
  readonly oldestMs: number | undefined
  readonly stored: number
  /** Later words on calls that were stored already. */
  readonly updated: number
  readonly duplicates: number
  /** Lost because a queue was full, or because the program ended with no queue on disk. */
  readonly dropped: number
  /** Refused by the store for what they hold, and set aside. */
  readonly refused: number
  /** Found on disk at the start: an earlier process had not been able to store them, or had been killed before it knew. */
  readonly found: number
  /** Of the queue on disk: ends that a crash cut off, and lines that were damaged. */
  readonly torn: number
  readonly damaged: number
  /** Attempts to store that failed. */
  readonly failures: number
  /** What the store said last, while it takes nothing. */
  readonly failure: { readonly code: string; readonly message: string; readonly sinceMs: number } | undefined
}

/** Seconds that the oldest waiting record has waited. */
export const queueAgeSeconds = ({ oldestMs }: Pick<RecordsStatus, 'oldestMs'>, nowMs: number): number =>
  oldestMs === undefined ? 0 : Math.max(0, (nowMs - oldestMs) / 1000)

/** The status as scripts see it, in the summary of `sniff -o json`. */
export function recordsJson(status: RecordsStatus, nowMs: number): Record<string, unknown> {
  const { waitingInMemory, waitingBytes, oldestMs: _, failure, ...same } = status
  return {
    ...same,
    waiting_in_memory: waitingInMemory,
    waiting_bytes: waitingBytes,
    waiting_seconds: queueAgeSeconds(status, nowMs),
    failure: failure === undefined ? null : { code: failure.code, message: failure.message, seconds: (nowMs - failure.sinceMs) / 1000 },
  }
}

/** Something an operator should know, once. */
export interface RecordsNotice {
  /** `trouble`: records are delayed or at risk. `loss`: some are lost, or will not be stored. `good`: it is over. */
  readonly kind: 'trouble' | 'loss' | 'good'
  readonly message: string
  readonly suggestions: readonly string[]
}
