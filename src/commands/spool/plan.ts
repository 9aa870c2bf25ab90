import { spoolLimitSettings } from '../../lib/settings/spool.js'
import { flagName } from '../../lib/settings/table.js'
import { diskOf } from '../../lib/spool/disk.js'
import { Ledger } from '../../lib/spool/ledger.js'
import { isLimited, limitNames, type SpoolLimits } from '../../lib/spool/limits.js'
import { type Forecast, forecastOf, planOf, readMinutes } from '../../lib/spool/usage.js'
import { BaseCommand } from '../../terminal/base-command.js'
import { configFlags } from '../../terminal/config-flags.js'
import { readableState } from '../../terminal/defaults.js'
import { jsonFlag, outputFlag, outputFormat } from '../../terminal/output.js'
import { count, counted } from '../../terminal/progress.js'
import { printRows } from '../../terminal/rows.js'
import { flagsFor, valuesOf } from '../../terminal/setting-flags.js'
import { sizeText } from '../../terminal/size.js'
import { spoolLimitsOf } from '../../terminal/spool-flags.js'
import { readsSpool, spoolFlag } from '../../terminal/store-flags.js'

/** `earshot spool plan`: what the limits would take, and why; nothing is touched. */
export default class SpoolPlan extends BaseCommand {
  static override summary = 'Show what would be deleted from the spool now, and why. Deletes nothing.'
  static override description = `Without limits on the command line, those of the process that writes to the spool.
Given some, what they would take, were they in force: a way to try limits before they bite. Calls in progress stay.
Below: how the spool grew within the last day, when a limit is reached if that goes on, and how many days of calls then stay.`
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    { description: 'Were media kept for a week', command: '<%= config.bin %> <%= command.id %> --maxpoolrtpdays 7' },
  ]
  static override configurable = () => readsSpool
  static override flags = {
    ...spoolFlag,
    ...configFlags,
    ...flagsFor(spoolLimitSettings, 'LIMITS'),
    output: outputFlag,
    json: jsonFlag,
  }

  async run(): Promise<void> {
    const { flags, metadata } = await this.parse(SpoolPlan)
    const dir = flags.spool ?? readableState().spool
    const minutes = readMinutes(dir)
    const given = Object.keys(spoolLimitSettings).some((key) => metadata.flags[flagName(key)]?.setFromDefault !== true)
    const inForce = new Ledger(dir).limits()
    const limits = given || inForce === undefined ? spoolLimitsOf(valuesOf(spoolLimitSettings, flags)) : inForce
    const before = { bytes: minutes.bytes, files: minutes.files }
    const nowSeconds = Date.now() / 1000
    const forecast = forecastOf(minutes, limits, nowSeconds, diskOf(dir))
    const steps = planOf(minutes, limits, nowSeconds, diskOf(dir))
    const format = outputFormat(flags)
    await printRows(format, process.stdout, {
      name: 'steps',
      rows: steps.map((step) => ({
        what: step.what,
        why: step.why,
        from: step.from,
        to: step.to,
        files: step.files,
        bytes: Math.round(step.bytes),
      })),
      columns: [
        { title: 'What', value: (r) => (r.what === 'calls' ? 'whole calls' : 'their RTP') },
        { title: 'From (UTC)', value: (r) => r.from },
        { title: 'To', value: (r) => r.to },
        { title: 'Files', right: true, value: (r) => count(r.files) },
        { title: 'Size', right: true, value: (r) => sizeText(r.bytes) },
        { title: 'Why', value: (r) => `${r.why} ${valueText(limits, r.why)}` },
      ],
      totals: {
        bytes_before: Math.round(before.bytes),
        bytes_after: Math.round(minutes.bytes),
        limits,
        forecast: forecast && forecastJson(forecast),
      },
    })
    if (format !== 'table') return
    process.stdout.write(`${sentence(limits, steps.length, before, minutes)}\n`)
    if (forecast !== undefined) process.stdout.write(`${forecastText(forecast)}\n`)
  }
}

const forecastJson = ({ bytesPerDay, first, keepsDays }: Forecast): object => ({
  bytes_per_day: Math.round(bytesPerDay),
  first_limit: first?.why ?? null,
  reached_in_days: first === undefined ? null : Number(first.inDays.toFixed(2)),
  keeps_days: keepsDays === undefined ? null : Number(keepsDays.toFixed(2)),
})

function forecastText({ bytesPerDay, first, keepsDays }: Forecast): string {
  const rate = `It grows by ${sizeText(bytesPerDay)} a day`
  if (first === undefined || keepsDays === undefined) return `${rate}.`
  const reached = first.inDays === 0 ? `${first.why} is reached` : `${first.why} is reached in ${daysText(first.inDays)}`
  return `${rate}: ${reached}; at this rate the limits keep ${daysText(keepsDays)} of calls.`
}

const daysText = (days: number): string => (days < 2 ? `${(days * 24).toFixed(1)} hours` : `${days.toFixed(1)} days`)

function sentence(limits: SpoolLimits, steps: number, before: { bytes: number; files: number }, after: { bytes: number }): string {
  const has = `The spool holds ${sizeText(before.bytes)} in ${counted(before.files, 'file')}`
  if (!isLimited(limits)) return `${has}. There is no limit: nothing is ever deleted.`
  const set = Object.values(limitNames)
    .map((name) => ({ name, text: valueText(limits, name) }))
    .filter(({ text }) => !text.startsWith('0 '))
    .map(({ name, text }) => `${name} ${text}`)
  const then = steps === 0 ? 'nothing has to go now' : `${sizeText(before.bytes - after.bytes)} would go, ${sizeText(after.bytes)} stay`
  return `${has}; ${then}. Limits: ${set.join(', ')}.`
}

function valueText(limits: SpoolLimits, name: string): string {
  const [key] = Object.entries(limitNames).find(([, own]) => own === name) as [keyof SpoolLimits, string]
  const value = limits[key]
  if (key === 'freePercent') return `${value} %`
  return /bytes/i.test(key) ? sizeText(value) : `${value} days`
}
