import { Args, Flags } from '@oclif/core'
import type { CallJson } from '../../lib/call/json.js'
import { callFiles, expiryOf, spoolFile } from '../../lib/spool/find.js'
import { openReader } from '../../lib/store/index.js'
import { BaseCommand } from '../../terminal/base-command.js'
import { callSheet } from '../../terminal/call-sheet.js'
import { readableState } from '../../terminal/defaults.js'
import { findCall } from '../../terminal/find-call.js'
import { readLadder } from '../../terminal/ladder.js'

/** `earshot cdr show ID`: everything about one call, with its SIP ladder read back from the spool. */
export default class CdrShow extends BaseCommand {
  static override summary = 'Show everything about one call, with its SIP ladder.'
  static override examples = ['<%= config.bin %> <%= command.id %> 4711', "<%= config.bin %> <%= command.id %> '5514@192.0.2.1' --json"]
  static override args = { id: Args.string({ required: true, description: 'Number of the record (cdr query shows it), or a Call-ID.' }) }
  static override flags = {
    store: Flags.string({ helpValue: 'URL', summary: 'Where records are: sqlite:PATH.' }),
    spool: Flags.string({ helpValue: 'DIR', summary: 'Where the pcaps are.' }),
    json: Flags.boolean({ summary: 'The record as JSON.' }),
  }

  async run(): Promise<void> {
    const { flags, args } = await this.parse(CdrShow)
    const state = readableState()
    const store = await openReader(flags.store ?? state.store)
    try {
      const call = await findCall(store, args.id)
      const details = await store.details(call.id as number)
      if (flags.json) {
        process.stdout.write(`${JSON.stringify({ ...call, details })}\n`)
        return
      }
      const lines = callSheet(call, details)
      lines.push('', ...(await ladderOf(flags.spool ?? state.spool, call)))
      process.stdout.write(`${lines.join('\n')}\n`)
    } finally {
      await store.close()
    }
  }
}

async function ladderOf(spool: string, call: CallJson): Promise<string[]> {
  if (call.pcap === null) return ['No pcap was kept of this call.']
  const files = callFiles(spool, call.pcap)
  if (files.length > 0) {
    const ladder = await readLadder(callFiles(spool, call.pcap, { media: false }), call.call_id)
    return ['SIP', ...ladder, '', ...files.map((file) => `Packets: ${file}`)]
  }
  const gone = expiryOf(spool, call.pcap, 'calls')
  if (gone !== undefined) return [`Its packets are gone since ${gone.at} (${gone.why}).`]
  return [`Its pcap is not there: ${spoolFile(spool, call.pcap)} (another spool? --spool DIR)`]
}
