/**
 * Where our rows differ from those that VoIPmonitor 2026.04 wrote for the same captures (../shared/reference/voipmonitor/rows), each
 * with the rule that explains it. A difference without a rule fails the test, and so does a rule that explains nothing any more.
 */
export interface Rule {
  /** `cdr.caller`, `rtp.loss`, `dtmf`, `call` (the whole call); `*` any column of the file. */
  readonly columns: RegExp
  readonly files?: RegExp
  readonly callId?: RegExp
  readonly rule: string
}

export const rules: readonly Rule[] = [
  { columns: /^cdr\.sighup$/, rule: 'VoIPmonitor sets it for every call of a file; we for those that the end of the file closed.' },
  {
    columns: /^cdr\.post_bye_delay$/,
    rule: 'The rows were written in whole seconds, where VoIPmonitor gives 0.000 for a part of one (database.md 3). We keep the milliseconds.',
  },
  {
    columns: /^cdr\.response_time_(100|xxx)$/,
    rule: 'VoIPmonitor counts from the last INVITE (call-semantics.md): a repeat, an authenticated one, or the next hop’s. We count from the first: that is what the caller waited (RFC 6076 4.3).',
  },
  {
    columns: /^cdr\.b_ua$/,
    rule: 'We take the User-Agent or Server of whoever answers the INVITE; VoIPmonitor that of the last hop’s messages, and none when only a Server header was there.',
  },
  {
    columns: /^cdr\.max_retransmission_invite$/,
    files: /voip-extension2downata/,
    rule: 'Four branches of a fork, each sent three times. A repeat is the same branch sent again (RFC 3261 17.1.1.2): 2. VoIPmonitor counts every INVITE of that CSeq: 11.',
  },
  {
    columns: /^rtp\.sdp_ptime$/,
    rule: 'The ptime of a stream is what its receiver asked for (RFC 3264 5.1, 6.1). VoIPmonitor takes it from the SDP of the sender.',
  },
  {
    columns: /^cdr\.[ab]_last_rtp_from_end$/,
    rule: 'VoIPmonitor counts to the last SIP message, which gives −42 for a call without BYE; and leaves it out where SDP said sendonly. We count to the end of the call, whatever SDP said.',
  },
  {
    columns: /^cdr\.ttl_(min|max|avg_mult10)$/,
    files: /SIP-Call-Flow-Over-TCP/,
    rule: 'The packets carry 64, as tshark shows; VoIPmonitor writes 50 for SIP that it put together from TCP.',
  },
  {
    columns: /^(cdr\.[ab]_received|rtp\.(received|duration))$/,
    files: /FAX-Call|real_sip_call|sip-2phones|sip-flow-private|test_voip/,
    rule: 'We count each RTP packet of the stream, as tshark does. VoIPmonitor leaves out some that came before the answer or after the BYE, and adds its probation to a stream of one packet.',
  },
  {
    columns: /^(cdr\.[ab]_rtp_ptime|rtp\.rtp_ptime)$/,
    files: /FAX-Call|sip-2phones/,
    rule: 'Steps of timestamps between consecutive packets; undefined for a stream of one packet. VoIPmonitor averages over the time between packets and begins with 20.',
  },
  {
    columns: /^(cdr\.(a_lost|lost|a_packet_loss_perc_mult1000|packet_loss_perc_mult1000)|rtp\.loss)$/,
    files: /Asterisk_ZFONE/,
    rule: '369 sequence numbers are missing, as tshark finds. VoIPmonitor’s count stops at 357: a re-INVITE moves the stream to another address.',
  },
  {
    columns: /^(cdr\.(a_lost|lost|a_packet_loss_perc_mult1000|packet_loss_perc_mult1000|a_reordered)|rtp\.loss)$/,
    files: /^jit\./,
    rule: 'The capture was made without any loss: 0. VoIPmonitor finds one lost and two fewer late.',
  },
  {
    columns: /^cdr\.caller$/,
    files: /SIP_CALL_RTP_G711/,
    rule: 'From is sip:200.57.7.195:55061, a URI without a user part (RFC 3261 19.1.1). VoIPmonitor takes the host and port for the user.',
  },
  {
    columns: /^cdr\.lastSIPresponse$/,
    files: /SIP_CALL_RTP_G711/,
    callId: /^12013223@/,
    rule: 'The message says "200 Ok". VoIPmonitor’s book does not tell upper case from lower: it has the text of an earlier call.',
  },
  {
    columns: /^cdr\.lastSIPresponse(Num)?$/,
    files: /SIP_CALL_RTP_G711/,
    callId: /^12015624@/,
    rule: 'The call was still ringing when the capture ended: 180 is no final response (RFC 3261 13.2.2), so there is none.',
  },
  {
    columns: /^cdr\.lastSIPresponse(Num)?$/,
    files: /sip-method__sip/,
    callId: /^105090259/,
    rule: 'The final response is 408, twice. VoIPmonitor writes 487 for what was cancelled, whatever came.',
  },
  {
    columns: /^cdr\.(call(er|ed)(name|_domain)?|called)$/,
    files: /rfc4475_torture_valid/,
    rule: 'The message with tortuous whitespace (RFC 4475 3.1.1.1) is valid: From, To and the display name can be read.',
  },
  {
    columns: /^cdr\.callername$/,
    files: /c07-sip-r2/,
    rule: 'From begins with the token 0 before <sip:…>: a display name (RFC 3261 25.1).',
  },
  {
    columns: /^cdr\.sipcalledip$/,
    files: /SIP_DTMF2/,
    rule: 'The last hop’s INVITE goes to 192.168.105.110: VoIPmonitor’s own rule (call-semantics.md), which it does not follow for a proxy that sends back to the caller.',
  },
  {
    columns: /^cdr\.(sipcall(er|ed)(ip|port)|call(er|ed)_domain|callername|ttl_.*)$/,
    files: /erspan_sip/,
    rule: 'A session border controller rewrites addresses between the two hops of one Call-ID; a hop is what its INVITE says. VoIPmonitor mixes the hops, and begins one call with the re-INVITE of the other side.',
  },
  {
    columns: /./,
    files: /h263-over-rtp/,
    rule: 'The only media is video (H.263). We count it as a stream of the call; VoIPmonitor does not.',
  },
  {
    columns: /^cdr\.callend$/,
    files: /sip-method__sip/,
    rule: 'Times are cut to whole seconds here. VoIPmonitor adds its rounded duration to its rounded start.',
  },
  {
    columns: /./,
    files: /nDPI__fuzz/,
    rule: 'Messages damaged at random. We read what the grammar of RFC 3261 lets stand and count the rest as odd; VoIPmonitor reads headers by searching for their names, and takes other pieces.',
  },
  {
    columns: /^call$/,
    files: /DTMFsipinfo/,
    rule: 'The packets are in PPPoE, which comes with a later release.',
  },
]
