import { createWriteStream, existsSync } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { Args, Flags } from '@oclif/core'
import { exitCodes, OperatorError } from '../../lib/base/errors.js'
import { packetsOf } from '../../lib/spool/packets.js'
import { openReader } from '../../lib/store/index.js'
import { BaseCommand } from '../../terminal/base-command.js'
import { readableState } from '../../terminal/defaults.js'
import { findCall } from '../../terminal/find-call.js'
import { localPcap } from '../../terminal/local-pcap.js'

/** `earshot fetch-pcap ID`: one call's packets from the local spool. */
export default class FetchPcap extends BaseCommand {
  static override summary = "Get one call's packets as a pcap."
  static override description =
    `Whole and in order of time, whatever lies in the spool: compressed files are unpacked; a call seen on interfaces of two kinds comes as pcapng.
Exit codes: 3 no such call, or nothing was kept of it; 4 its media are gone, the signalling is there; 6 its packets are gone.`
  static override examples = [
    { description: 'To a file', command: '<%= config.bin %> <%= command.id %> 4711 -w call.pcap' },
    { description: 'Straight into another tool', command: '<%= config.bin %> <%= command.id %> 4711 | tshark -r - -q -z rtp,streams' },
  ]
  static override args = { id: Args.string({ required: true, description: 'Number of the record (cdr query shows it), or a Call-ID.' }) }
  static override flags = {
    store: Flags.string({ helpValue: 'URL', summary: 'Where records are: sqlite:PATH.' }),
    spool: Flags.string({ helpValue: 'DIR', summary: 'Where the pcaps are.' }),
    write: Flags.string({
      char: 'w',
      aliases: ['output'],
      charAliases: ['O'],
      default: '-',
      helpValue: 'FILE',
      summary: 'Where to; - is stdout.',
    }),
    'sip-only': Flags.boolean({ summary: 'Without media.' }),
    force: Flags.boolean({ summary: 'Replace FILE when it exists.' }),
  }

  async run(): Promise<void> {
    const { flags, args } = await this.parse(FetchPcap)
    const toStdout = flags.write === '-'
    if (toStdout && process.stdout.isTTY) {
      throw new OperatorError('BINARY', 'A pcap would only upset this terminal.', {
        exit: exitCodes.usage,
        suggestions: [`Write it to a file: earshot fetch-pcap ${args.id} -w call.pcap`, `Or look at the call: earshot cdr show ${args.id}`],
      })
    }
    if (!toStdout && !flags.force && existsSync(flags.write)) {
      throw new OperatorError('EXISTS', `"${flags.write}" exists already.`, {
        suggestions: ['Give another name, or --force to replace it.'],
      })
    }
    const state = readableState()
    const store = await openReader(flags.store ?? state.store)
    const call = await findCall(store, args.id).finally(() => store.close())
    const { files, note } = localPcap(flags.spool ?? state.spool, call, args.id)
    await pipeline(packetsOf(files, { sipOnly: flags['sip-only'] }), toStdout ? process.stdout : createWriteStream(flags.write)).catch(
      (error: NodeJS.ErrnoException) => {
        if (error.code === 'EPIPE') return
        throw new OperatorError('COPY', `Cannot copy the pcap to "${flags.write}": ${error.message}.`, {
          cause: error,
          suggestions: ['Check the path and the space on its disk.'],
        })
      },
    )
    if (note === undefined || flags['sip-only']) return
    process.stderr.write(`${note}\n`)
    process.exitCode = exitCodes.partial
  }
}
