import { AddressBook } from '../base/address.js'
import { Counters } from '../base/counters.js'
import type { PacketBatch } from '../base/packets.js'
import { Dissector } from '../dissect/dissector.js'
import { BatchFill } from '../pcap/batch.js'
import { readerFor } from '../pcap/reader.js'
import { SipStreams } from '../reassembly/tcp.js'
import { parseCSeq } from '../sip/address.js'
import { readSip, type SipMessage } from '../sip/message.js'
import { beginsSip, skipEmptyLines } from '../sip/start-line.js'
import { isTcp, isUdp } from '../wire/frame.js'

/** The SIP messages of a call's pcap as VoIPmonitor's `active_call_info` lists them. */
export interface SipPacketInfo {
  /** µs since the epoch. */
  readonly time: number
  readonly src_ip: string
  readonly src_port: number
  readonly dst_ip: string
  readonly dst_port: number
  /** The first line. */
  readonly sip: string
  readonly sip_len: number
  readonly packet_len: number
  readonly cseq_m: string
  readonly cseq_n: number
}

const MESSAGES_MAX = 2000
/** Its numbers of methods; a response has that of its request. */
const methodNumbers: Readonly<Record<string, number | undefined>> = {
  INVITE: 1,
  BYE: 2,
  CANCEL: 3,
  REGISTER: 4,
  MESSAGE: 5,
  INFO: 6,
  SUBSCRIBE: 7,
  OPTIONS: 8,
  NOTIFY: 9,
  ACK: 10,
  PRACK: 11,
  PUBLISH: 12,
  REFER: 13,
  UPDATE: 14,
}

/** As it writes them: ports as text, methods as numbers, slashes escaped. */
export const sipPacketsJson = (list: readonly SipPacketInfo[]): string =>
  JSON.stringify(
    list.map((p) => ({
      ...p,
      src_port: String(p.src_port),
      dst_port: String(p.dst_port),
      cseq_m: (Object.hasOwn(methodNumbers, p.cseq_m) ? methodNumbers[p.cseq_m] : undefined) ?? 0,
    })),
  ).replaceAll('/', '\\/')

export function sipPacketsOf(pcap: Uint8Array, callId: string): SipPacketInfo[] {
  const addresses = new AddressBook()
  const dissector = new Dissector(addresses, { datagramsMax: 100, bytesMax: 4 << 20, timeoutSeconds: 60 })
  const streams = new SipStreams({ flowsMax: 100, flowBytesMax: 1 << 20, idleSeconds: 3600 }, [5060, 5061])
  const list: SipPacketInfo[] = []
  const add = (message: SipMessage, length: number, batch: PacketBatch, index: number): void => {
    if (message.header('call-id') !== callId || list.length >= MESSAGES_MAX) return
    const { frame } = dissector
    const cseq = parseCSeq(message.header('cseq'))
    list.push({
      time: batch.micros[index] as number,
      src_ip: addresses.text(frame.source),
      src_port: frame.sourcePort,
      dst_ip: addresses.text(frame.destination),
      dst_port: frame.destinationPort,
      sip:
        message.method === undefined
          ? `SIP/2.0 ${message.status} ${message.reasonPhrase}`
          : `${message.method} ${message.requestUri} SIP/2.0`,
      sip_len: length,
      packet_len: batch.length[index] as number,
      cseq_m: cseq?.method ?? '',
      cseq_n: cseq?.number ?? 0,
    })
  }
  const fill = new BatchFill(pcap)
  const reader = readerFor(pcap, fill, new Counters())
  for (const batch of reader?.read(pcap, 0, pcap.length) ?? []) {
    for (let i = 0; i < batch.count; i++) {
      const end = dissector.dissect(batch, i)
      const { frame } = dissector
      if (end === isTcp) streams.accept(frame, batch, i, ({ message }) => add(message, frame.payloadEnd - frame.payloadAt, batch, i))
      if (end !== isUdp) continue
      const at = skipEmptyLines(frame.bytes, frame.payloadAt, frame.payloadEnd)
      if (!beginsSip(frame.bytes, at, frame.payloadEnd)) continue
      const message = readSip(frame.bytes, at, frame.payloadEnd, frame.payloadCut)
      if (typeof message !== 'string') add(message, message.end - at, batch, i)
    }
  }
  return list
}
