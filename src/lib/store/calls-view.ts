/** The view for people with a database shell: numbers, times, MOS as 4.1, addresses as text. The same columns in every engine. */
export interface Dialect {
  /** `YYYY-MM-DD HH:MM:SS.mmm` of µs since the epoch. */
  time(column: string): string
  concat(...parts: string[]): string
}

export function callsView(name: string, { time, concat }: Dialect): string {
  const endpoint = (ip: string, port: string): string =>
    concat(`CASE WHEN ${ip} LIKE '%:%' THEN ${concat("'['", ip, "']'")} ELSE ${ip} END`, "':'", port)
  return `CREATE VIEW ${name} AS SELECT
  c.ID AS id, ${time('e.started_us')} AS started, ${time('e.answered_us')} AS answered, ${time('e.ended_us')} AS ended,
  c.caller, c.called AS callee, c.callername AS caller_name,
  ${endpoint('e.caller_ip', 'c.sipcallerport')} AS caller_addr,
  ${endpoint('e.callee_ip', 'e.callee_port')} AS callee_addr,
  e.state, nullif(c.lastSIPresponseNum, 0) AS status, e.status_text,
  round(e.pdd_ms / 1000, 3) AS pdd_s, round(e.duration_ms / 1000, 3) AS duration_s, round(e.talk_ms / 1000, 3) AS talk_s,
  e.codec, round(e.mos, 1) AS mos, e.loss_pct, e.jitter_ms, c.whohanged AS hung_up_by, c.id_sensor AS sensor_id, e.call_id, e.pcap
FROM cdr c JOIN earshot_cdr e ON e.cdr_ID = c.ID`
}
