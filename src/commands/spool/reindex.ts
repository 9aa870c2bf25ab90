import { Flags } from '@oclif/core'
import { exitCodes } from '../../lib/base/errors.js'
import { reindex } from '../../lib/spool/reindex.js'
import { readMinutes } from '../../lib/spool/usage.js'
import { BaseCommand } from '../../terminal/base-command.js'
import { configFlags } from '../../terminal/config-flags.js'
import { readableState } from '../../terminal/defaults.js'
import { count, counted } from '../../terminal/progress.js'
import { sizeText } from '../../terminal/size.js'
import { readsSpool, spoolFlag } from '../../terminal/store-flags.js'

/** `earshot spool reindex`: the index of the spool made anew from the disk. */
export default class SpoolReindex extends BaseCommand {
  static override summary = 'Make the index of the spool anew from what is on the disk.'
  static override description =
    `Every file is read, to tell signalling from media. Needed when files were copied into the spool, or deleted from it, by hand;
at every start the sniffer compares the index with the disk by itself, but opens no file for it. Not while a sniffer writes to the spool.`
  static override examples = ['<%= config.bin %> <%= command.id %> --spool /var/lib/earshot/spool']
  static override configurable = () => readsSpool
  static override flags = {
    ...spoolFlag,
    ...configFlags,
    quiet: Flags.boolean({ char: 'q', summary: 'No summary and no progress on stderr.' }),
  }

  async run(): Promise<void> {
    const { flags } = await this.parse(SpoolReindex)
    const dir = flags.spool ?? readableState().spool
    // Tells a spool from what is none, before a directory is made in it.
    readMinutes(dir)
    const showing = !flags.quiet && process.stderr.isTTY
    const { minutes, unreadable } = await reindex(dir, (files) => {
      if (showing && files % 100 === 0) process.stderr.write(`\r\u001b[K${count(files)} files`)
    })
    if (showing) process.stderr.write('\r\u001b[K')
    if (!flags.quiet) {
      process.stderr.write(
        `${counted(minutes.files, 'file')} in ${counted(minutes.size, 'minute')}: SIP ${sizeText(minutes.sipBytes)}, RTP ${sizeText(minutes.mediaBytes)}.\n`,
      )
    }
    if (unreadable.length === 0) return
    process.stderr.write(
      `Cannot be read: ${unreadable.slice(0, 5).join(', ')}${unreadable.length > 5 ? ` and ${unreadable.length - 5} more` : ''}\n`,
    )
    process.exitCode = exitCodes.partial
  }
}
