import { resolve } from 'node:path'
import { Args, Flags } from '@oclif/core'
import { BaseCommand } from '../../terminal/base-command.js'
import { parseUnit, perform, show, systemdRuns, uninstallSteps } from '../../terminal/service/install.js'
import { unitNames } from '../../terminal/service/units.js'

/** `earshot service uninstall`: stops services and takes their units away; data and configuration stay. */
export default class ServiceUninstall extends BaseCommand {
  static override summary = 'Stop a service and take its units away; records, pcaps and configuration stay.'
  static override description =
    'An instance cannot be taken away alone, its unit is that of all: stop it with systemctl disable --now earshot-sniff@NAME.'
  static override examples = [
    'sudo <%= config.bin %> <%= command.id %> sniff',
    { description: 'Everything', command: 'sudo <%= config.bin %> <%= command.id %> all' },
  ]
  static override strict = false
  static override args = { name: Args.string({ required: true, description: `${unitNames.join(', ')}, or all. Several may be given.` }) }
  static override flags = {
    'dry-run': Flags.boolean({ summary: 'Print what would be run and removed; change nothing.' }),
    root: Flags.string({ helpValue: 'DIR', default: '/', summary: 'Remove below DIR. Nothing is stopped.' }),
    units: Flags.string({ helpValue: 'DIR', default: '/etc/systemd/system', summary: 'Where the units are, below the root.' }),
    quiet: Flags.boolean({ char: 'q', summary: 'Say nothing but errors.' }),
  }

  async run(): Promise<void> {
    const { flags, argv } = await this.parse(ServiceUninstall)
    const words = argv as string[]
    const names = words.includes('all') ? unitNames : [...new Set(words.map((word) => parseUnit(word).name))]
    const root = resolve(flags.root)
    const steps = uninstallSteps(names, { root, unitDirectory: flags.units }, root === '/' && systemdRuns())
    if (flags['dry-run']) {
      process.stdout.write(`${show(steps)}\n`)
      return
    }
    const say = (text: string): void => {
      if (!flags.quiet) process.stderr.write(`${text}\n`)
    }
    perform(steps, root, say)
    say('Records and pcaps in /var/lib/earshot, /etc/earshot and the user earshot are still there.')
  }
}
