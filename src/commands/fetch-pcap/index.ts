import { createReadStream, createWriteStream, existsSync } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { Args, Flags } from '@oclif/core'
import { exitCodes, OperatorError } from '../../lib/base/errors.js'
import { spoolFile } from '../../lib/spool/find.js'
import { openReader } from '../../lib/store/index.js'
import { BaseCommand } from '../../terminal/base-command.js'
import { readableState } from '../../terminal/defaults.js'
import { findCall } from '../../terminal/find-call.js'

/** `earshot fetch-pcap ID`: one call's packets from the local spool. */
export default class FetchPcap extends BaseCommand {
  static override summary = "Get one call's packets as a pcap."
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
    if (call.pcap === null) {
      throw new OperatorError('NO_PCAP', `No packets were kept of call "${args.id}".`, {
        exit: exitCodes.notFound,
        suggestions: ['sniff keeps them with --spool DIR (and unless --save none).'],
      })
    }
    const file = spoolFile(flags.spool ?? state.spool, call.pcap)
    if (!existsSync(file)) {
      throw new OperatorError('EXPIRED', `The packets of call "${args.id}" are gone: "${file}" is not there.`, {
        exit: exitCodes.expired,
        suggestions: ['They were cleaned away, or the spool is another: --spool DIR'],
      })
    }
    await pipeline(createReadStream(file), toStdout ? process.stdout : createWriteStream(flags.write)).catch(
      (error: NodeJS.ErrnoException) => {
        if (error.code === 'EPIPE') return
        throw new OperatorError('COPY', `Cannot copy the pcap to "${flags.write}": ${error.message}.`, {
          cause: error,
          suggestions: ['Check the path and the space on its disk.'],
        })
      },
    )
  }
}
