import { connect } from 'node:tls'
import { Args, Flags } from '@oclif/core'
import { fingerprintOf } from '../../lib/access/index.js'
import { exitCodes, OperatorError } from '../../lib/base/errors.js'
import { addressText, parseAddress } from '../../lib/manager/index.js'
import { BaseCommand } from '../../terminal/base-command.js'
import { readableState } from '../../terminal/defaults.js'
import { knownServers } from '../../terminal/manager-access.js'
import { addressMeant, listedSensors } from '../../terminal/sensor-list.js'
import { readsStore, storeFlags } from '../../terminal/store-flags.js'

/** `earshot sensor trust`: remembers the certificate that a manager shows. */
export default class SensorTrust extends BaseCommand {
  static override summary = 'Remember the certificate of a manager, as ssh remembers hosts.'
  static override description =
    `Without --fingerprint it shows what the manager shows now and remembers that: do so on a network you believe.
With --fingerprint it remembers only that one. A manager says its fingerprint when it starts.`
  static override examples = ['<%= config.bin %> <%= command.id %> 10.0.3.5 --fingerprint sha256:…']
  static override args = { address: Args.string({ required: true, description: 'HOST[:PORT], or a name or a number of the list.' }) }
  static override configurable = () => readsStore
  static override flags = { fingerprint: Flags.string({ helpValue: 'sha256:HEX', summary: 'What it must be.' }), ...storeFlags }

  async run(): Promise<void> {
    const { args, flags } = await this.parse(SensorTrust)
    const address = parseAddress(await addressMeant(args.address, () => listedSensors(flags.store ?? readableState().store)))
    if (address.kind !== 'tcp')
      throw new OperatorError('ADDRESS', 'Only a manager that is reached over TLS has a certificate.', {
        exit: 2,
        suggestions: ['HOST:PORT'],
      })
    const name = addressText(address)
    const shown = await certificateOf(address.host, address.port, name)
    if (flags.fingerprint !== undefined && flags.fingerprint.toLowerCase() !== shown) {
      throw new OperatorError('FINGERPRINT', `${name} shows another certificate: ${shown}.`, {
        suggestions: [
          'Somebody may be in between, or the certificate was changed. Ask there: the service says its fingerprint at its start.',
        ],
      })
    }
    const known = knownServers()
    known.set(name, shown)
    process.stdout.write(`${name} ${shown}\n`)
    process.stderr.write(`Remembered in ${known.file}.\n`)
  }
}

function certificateOf(host: string, port: number, name: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, rejectUnauthorized: false, timeout: 10_000 }, () => {
      resolve(fingerprintOf(socket.getPeerCertificate().raw))
      socket.destroy()
    })
    const fail = (error: Error): void => {
      socket.destroy()
      reject(
        new OperatorError('UNREACHABLE', `Cannot reach ${name}: ${error.message}.`, {
          cause: error,
          exit: exitCodes.unreachable,
          suggestions: ['Does the service run there, and does it speak TLS (it does off loopback)?'],
        }),
      )
    }
    socket.once('timeout', () => fail(new Error('no answer')))
    socket.once('error', fail)
  })
}
