/** What calls can be sorted by, and the column that holds it. */
export const sortColumns = {
  started: 'e.started_us',
  id: 'e.cdr_ID',
  duration_ms: 'e.duration_ms',
  talk_ms: 'e.talk_ms',
  pdd_ms: 'e.pdd_ms',
  mos: 'e.mos',
  loss_pct: 'e.loss_pct',
  jitter_ms: 'e.jitter_ms',
  caller: 'c.caller',
  callee: 'c.called',
  status: 'c.lastSIPresponseNum',
} as const
export type SortColumn = keyof typeof sortColumns
export interface CdrSort {
  readonly column: SortColumn
  readonly descending: boolean
}
