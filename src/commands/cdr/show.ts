import { Args, Flags } from '@oclif/core'
import { callFiles, expiryOf, spoolFile } from '../../lib/spool/find.js'
import { openReader } from '../../lib/store/index.js'
import { BaseCommand } from '../../terminal/base-command.js'
import { type CallFile, readCallFile } from '../../terminal/call-file.js'
import { callLine } from '../../terminal/call-line.js'
import { callSheet } from '../../terminal/call-sheet.js'
import { readableState } from '../../terminal/defaults.js'
import { jsonText } from '../../terminal/delimited.js'
import { readDistantCallFile } from '../../terminal/distant-call-file.js'
import { findCall } from '../../terminal/find-call.js'
import { drawLadder } from '../../terminal/ladder.js'
import { accessFlags } from '../../terminal/manager-access.js'
import { count } from '../../terminal/progress.js'
import { qualityPlot } from '../../terminal/quality-plot.js'
import { relatedCalls } from '../../terminal/related-calls.js'
import { readsBoth, spoolFlag, storeFlags } from '../../terminal/store-flags.js'

/** `earshot cdr show ID`: everything about one call: record, streams, legs, ladder, quality over time, what the spool holds. */
export default class CdrShow extends BaseCommand {
  static override summary = 'Show everything about one call: streams, legs, SIP ladder, quality over time, what the spool holds.'
  static override description =
    `Legs are other records of the same call (a B2BUA makes two): they share media, carry one Call-ID within the other, or pass on
the same numbers. Ladder and quality over time are made of the packets: those in the spool here, else those that the sensor of the
record gives (as for fetch-pcap); without them they are not shown.`
  static override examples = [
    { description: 'By the number that cdr query shows', command: '<%= config.bin %> <%= command.id %> 4711' },
    { description: 'By Call-ID, for a program', command: "<%= config.bin %> <%= command.id %> '5514@192.0.2.1' --json" },
  ]
  static override args = { id: Args.string({ required: true, description: 'Number of the record (cdr query shows it), or a Call-ID.' }) }
  static override configurable = () => readsBoth
  static override flags = {
    ...storeFlags,
    ...spoolFlag,
    ...accessFlags,
    json: Flags.boolean({ summary: 'All of it as JSON.' }),
  }

  async run(): Promise<void> {
    const { flags, args } = await this.parse(CdrShow)
    const state = readableState(flags.store)
    const storeUrl = flags.store ?? state.store
    const store = await openReader(storeUrl)
    try {
      const call = await findCall(store, args.id)
      const details = await store.details(call.id as number)
      const { related, cut } = await relatedCalls(store, call)
      const spool = flags.spool ?? state.spool
      const paths = call.pcap === null ? [] : callFiles(spool, call.pcap)
      const elsewhere = call.pcap !== null && paths.length === 0 && expiryOf(spool, call.pcap, 'calls') === undefined
      const distant = elsewhere ? await readDistantCallFile(call, { spool, store: storeUrl, access: flags }) : undefined
      const file = paths.length > 0 ? await readCallFile(paths, call) : typeof distant === 'string' ? undefined : distant
      if (flags.json) {
        const legs = related.map(({ call: leg, because }) => ({ id: leg.id, call_id: leg.call_id, started: leg.started, because }))
        process.stdout.write(`${jsonText({ ...call, details: details ?? null, legs, spool: file ?? null })}\n`)
        return
      }
      const lines = callSheet(call, details)
      if (related.length > 0) lines.push('', 'Legs')
      for (const { call: leg, because } of related)
        lines.push(`  ${leg.id}  ${callLine(leg)}  (${because.join(', ').replaceAll('_', ' ')})`)
      if (cut) lines.push('  (so many calls began then that only some were looked at)')
      lines.push('', ...(file === undefined ? [typeof distant === 'string' ? distant : whyNoPackets(spool, call.pcap)] : packetLines(file)))
      process.stdout.write(`${lines.join('\n')}\n`)
    } finally {
      await store.close()
    }
  }
}

function packetLines(file: CallFile): string[] {
  const lines = ['SIP', ...drawLadder(file.ladder)]
  if (file.messagesLeft > 0) lines.push(`… and ${count(file.messagesLeft)} more messages`)
  if (file.quality !== undefined) lines.push('', ...qualityPlot(file.quality))
  const sip = file.packets - file.rtp - file.other
  lines.push(
    '',
    ...file.paths.map((path, i) => `${i === 0 ? 'Spool' : '     '}  ${path}`),
    `       ${count(file.bytes)} bytes, ${count(file.packets)} packets: ${count(sip)} SIP, ${count(file.rtp)} RTP, ${count(file.other)} other; ${file.first ?? ''} to ${file.last ?? ''}`,
  )
  if (file.cut > 0) lines.push(`       ${count(file.cut)} of them without their end (headers only were kept, or a short snaplen)`)
  return lines
}

function whyNoPackets(spool: string, pcap: string | null): string {
  if (pcap === null) return 'No pcap was kept of this call.'
  const gone = expiryOf(spool, pcap, 'calls')
  if (gone !== undefined) return `Its packets are gone since ${gone.at} (${gone.why}).`
  return `Its pcap is not there: ${spoolFile(spool, pcap)} (cleaned away, or another spool: --spool DIR)`
}
