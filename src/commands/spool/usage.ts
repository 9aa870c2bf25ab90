import { readMinutes, usageOf } from '../../lib/spool/usage.js'
import { BaseCommand } from '../../terminal/base-command.js'
import { configFlags } from '../../terminal/config-flags.js'
import { readableState } from '../../terminal/defaults.js'
import { jsonFlag, outputFlag, outputFormat } from '../../terminal/output.js'
import { count, counted } from '../../terminal/progress.js'
import { printRows } from '../../terminal/rows.js'
import { sizeText } from '../../terminal/size.js'
import { readsSpool, spoolFlag } from '../../terminal/store-flags.js'

/** `earshot spool usage`: what the spool holds, a line a day. */
export default class SpoolUsage extends BaseCommand {
  static override summary = 'Show how much the spool holds, by day and kind.'
  static override description =
    'Sizes are what the disk gives for the files, in whole blocks. Read from the index of the spool; what is being written is counted.'
  static override examples = ['<%= config.bin %> <%= command.id %>', '<%= config.bin %> <%= command.id %> -o csv']
  static override configurable = () => readsSpool
  static override flags = {
    ...spoolFlag,
    ...configFlags,
    output: outputFlag,
    json: jsonFlag,
  }

  async run(): Promise<void> {
    const { flags } = await this.parse(SpoolUsage)
    const dir = flags.spool ?? readableState().spool
    const minutes = readMinutes(dir)
    const { days, disk } = usageOf(dir, minutes)
    const format = outputFormat(flags)
    const rows = days.map(({ day, files, sipBytes, mediaBytes }) => ({
      day,
      files,
      sip_bytes: Math.round(sipBytes),
      rtp_bytes: Math.round(mediaBytes),
      bytes: Math.round(sipBytes + mediaBytes),
    }))
    await printRows(format, process.stdout, {
      name: 'days',
      rows,
      columns: [
        { title: 'Day (UTC)', value: (r) => r.day },
        { title: 'Files', right: true, value: (r) => count(r.files) },
        { title: 'SIP', right: true, value: (r) => sizeText(r.sip_bytes) },
        { title: 'RTP', right: true, value: (r) => sizeText(r.rtp_bytes) },
        { title: 'Both', right: true, value: (r) => sizeText(r.bytes) },
      ],
      totals: {
        files: minutes.files,
        sip_bytes: Math.round(minutes.sipBytes),
        rtp_bytes: Math.round(minutes.mediaBytes),
        disk_bytes: disk?.bytes ?? null,
        disk_free_bytes: disk?.free ?? null,
      },
    })
    if (format !== 'table') return
    const free = disk === undefined ? '' : `; ${sizeText(disk.free)} of ${sizeText(disk.bytes)} are free on its disk`
    process.stdout.write(
      `${dir}: ${sizeText(minutes.bytes)} in ${counted(minutes.files, 'file')} (SIP ${sizeText(minutes.sipBytes)}, RTP ${sizeText(minutes.mediaBytes)})${free}.\n`,
    )
  }
}
