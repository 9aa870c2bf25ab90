import { readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { Args, Flags } from '@oclif/core'
import { type Role, roleNames, roles } from '../../../lib/access/index.js'
import { exitCodes, OperatorError } from '../../../lib/base/errors.js'
import { BaseCommand } from '../../../terminal/base-command.js'
import { openTokens, stateFlag } from '../../../terminal/tokens.js'

/** `earshot manager token add`: lets a client in. */
export default class ManagerTokenAdd extends BaseCommand {
  static override summary = 'Let a client in: make a token for it, or name its certificate.'
  static override description = `The token is printed once and kept nowhere; the services of this host know it at once.
Roles: ${Object.entries(roles)
    .map(([name, { help }]) => `${name} (${help})`)
    .join('; ')}.`
  static override examples = [
    '<%= config.bin %> <%= command.id %> laptop --role fetch',
    '<%= config.bin %> <%= command.id %> central --role fetch --certificate central.pem',
    {
      description: 'A sensor that sends its packets to mirror-recv here',
      command: '<%= config.bin %> <%= command.id %> prague --role send --id-sensor 7',
    },
  ]
  static override args = { name: Args.string({ required: true, description: 'Name of the client, as the audit log will show it.' }) }
  static override flags = {
    role: Flags.option({ options: roleNames })({ required: true, summary: 'What it may do.' }),
    certificate: Flags.string({ helpValue: 'FILE', summary: 'Know it by this certificate (PEM) instead of a token.' }),
    'id-sensor': Flags.integer({
      min: 1,
      max: 65_535,
      summary: 'With --role send: the id_sensor that it sends as, and no other.',
    }),
    state: stateFlag,
  }

  async run(): Promise<void> {
    const { args, flags } = await this.parse(ManagerTokenAdd)
    const tokens = openTokens(flags.state)
    const role = flags.role as Role
    const sensorId = flags['id-sensor']
    if ((role === 'send') !== (sensorId !== undefined)) {
      throw new OperatorError('ID_SENSOR', role === 'send' ? 'As which sensor does it send?' : '--id-sensor belongs to --role send.', {
        exit: exitCodes.usage,
        suggestions: [`earshot manager token add ${args.name} --role send --id-sensor 7`],
      })
    }
    if (flags.certificate === undefined) {
      process.stdout.write(`${tokens.addToken(args.name, role, new Date(), sensorId)}\n`)
      process.stderr.write(
        `That is the token of "${args.name}" (${role}); it is not shown again. ${placeOf(role)}\nServices that keep their state in ${dirname(dirname(tokens.file))} know it from now on.\n`,
      )
      return
    }
    let pem: string
    try {
      pem = readFileSync(flags.certificate, 'utf8')
    } catch (error) {
      throw new OperatorError('READ', `Cannot read "${flags.certificate}": ${(error as Error).message}.`, {
        cause: error,
        exit: 2,
        suggestions: ['Check the path.'],
      })
    }
    process.stderr.write(`"${args.name}" (${role}) is known by ${tokens.addCertificate(args.name, role, pem, new Date(), sensorId)}\n`)
  }
}

/** Where the client keeps it. */
const placeOf = (role: Role): string =>
  role === 'send'
    ? 'On the sender: /etc/earshot/credentials/earshot-mirror-token, or a file for --token-file.'
    : 'On the client: a line "HOST TOKEN" in ~/.config/earshot/token (mode 600), or EARSHOT_TOKEN.'
