import { execFileSync } from 'node:child_process'
import { join, resolve } from 'node:path'
import { Args, Flags } from '@oclif/core'
import { OperatorError } from '../../lib/base/errors.js'
import { BaseCommand } from '../../terminal/base-command.js'
import { installSteps, ownProgram, parseUnit, perform, show, systemdRuns, unitToEnable } from '../../terminal/service/install.js'
import { unitNames } from '../../terminal/service/units.js'

/** `earshot service install`: everything that a service needs to run under systemd, and the next command to type. */
export default class ServiceInstall extends BaseCommand {
  static override summary = 'Set up a service for systemd: units, user, configuration.'
  static override description =
    `NAME is ${unitNames.join(', ')}, or all. NAME@INSTANCE is one of several: sniff@eth1 listens on eth1 unless its section [sniff@eth1] of /etc/earshot/earshot.conf says otherwise.
What is there already is renewed (units) or kept (configuration, credentials). Nothing starts unless --enable is given.`
  static override examples = [
    {
      description: 'A sensor, from now on and at every start of the machine',
      command: 'sudo <%= config.bin %> <%= command.id %> sniff --enable',
    },
    { description: 'One for each of two interfaces', command: 'sudo <%= config.bin %> <%= command.id %> sniff@eth1 sniff@eth2 --enable' },
    { description: 'See first', command: '<%= config.bin %> <%= command.id %> sniff --dry-run' },
    {
      description: 'Files of a package',
      command: "<%= config.bin %> <%= command.id %> all --root debian/earshot --units /usr/lib/systemd/system --program '/usr/bin/earshot'",
    },
  ]
  static override strict = false
  static override args = { name: Args.string({ required: true, description: 'What to set up. Several may be given.' }) }
  static override flags = {
    enable: Flags.boolean({ summary: 'Also start it, now and at every start of the machine.' }),
    'dry-run': Flags.boolean({ summary: 'Print what would be written and run; change nothing.' }),
    root: Flags.string({ helpValue: 'DIR', default: '/', summary: 'Write below DIR: for packages and chroots. Nothing is started.' }),
    units: Flags.string({ helpValue: 'DIR', default: '/etc/systemd/system', summary: 'Where units go, below the root.' }),
    program: Flags.string({
      helpValue: 'WORDS',
      summary: 'What systemd is to start instead of this very program: absolute path and words, separated by blanks.',
    }),
    quiet: Flags.boolean({ char: 'q', summary: 'Say nothing but errors.' }),
  }

  async run(): Promise<void> {
    const { flags, argv } = await this.parse(ServiceInstall)
    const say = (text: string): void => {
      if (!flags.quiet) process.stderr.write(`${text}\n`)
    }
    const words = argv as string[]
    const units = (words.includes('all') ? unitNames : words).map(parseUnit)
    const names = [...new Set(units.map(({ name }) => name))]
    const root = resolve(flags.root)
    const running = root === '/' && systemdRuns()
    if (flags.enable && !running)
      throw new OperatorError('NO_SYSTEMD', 'There is no systemd here that could start a service.', {
        exit: 2,
        suggestions: [
          'Leave --enable out: the files are written all the same.',
          'In a container: let its init or runtime start earshot sniff.',
        ],
      })
    const program = flags.program?.split(/\s+/).filter((word) => word !== '') ?? ownProgram(join(this.config.root, 'bin', 'run.js'))
    const steps = installSteps(names, program, { root, unitDirectory: flags.units }, running)
    const enabled = units.map(unitToEnable)
    if (flags['dry-run']) {
      const enabling = flags.enable ? `# run systemctl enable --now ${enabled.join(' ')}\n` : ''
      process.stdout.write(`${show(steps)}\n${enabling}`)
      return
    }
    perform(steps, root, say)
    if (flags.enable) {
      execFileSync('systemctl', ['enable', '--now', ...enabled], { stdio: ['ignore', 'inherit', 'inherit'] })
      say(`Started: ${enabled.join(', ')}. How it is: earshot service status`)
      return
    }
    say(`Look at ${join(root, 'etc/earshot/earshot.conf')}, then: ${running ? 'sudo ' : ''}systemctl enable --now ${enabled.join(' ')}`)
  }
}
