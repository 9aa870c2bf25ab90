import { exitCodes, OperatorError } from '../base/errors.js'
import { errno, SystemError } from './native.js'
import { isMemory, isPermission } from './ring.js'

/** Why live capture cannot start, in words an operator can act on. */

export class UnknownInterfaceError extends OperatorError {
  constructor(name: string, known: readonly string[]) {
    super('INTERFACE_UNKNOWN', `There is no interface "${name}" here.`, {
      exit: exitCodes.usage,
      suggestions: [`Interfaces here: ${known.join(', ')}; "any" is all of them.`],
    })
  }
}

export class CaptureOpenError extends OperatorError {
  constructor(name: string, ringBytes: number, cause: unknown) {
    super(
      isPermission(cause) ? 'CAPTURE_PERMISSION' : 'CAPTURE_OPEN',
      `Cannot capture on "${name}": ${cause instanceof Error ? cause.message : String(cause)}.`,
      { cause, suggestions: suggestions(cause, ringBytes) },
    )
  }
}

function suggestions(cause: unknown, ringBytes: number): string[] {
  if (isPermission(cause))
    return [
      'Run it as root, or allow this node to capture, once:',
      'sudo setcap cap_net_raw,cap_net_admin=eip "$(readlink -f "$(command -v node)")"',
      'As a systemd service, put under [Service]: AmbientCapabilities=CAP_NET_RAW CAP_NET_ADMIN',
      'In a container: --cap-add NET_RAW --cap-add NET_ADMIN (and --network host to see the host).',
    ]
  if (cause instanceof SystemError && cause.errno === errno.afnosupport)
    return ['Packet sockets are not allowed here. In a systemd service, add AF_PACKET to RestrictAddressFamilies=.']
  if (isMemory(cause))
    return [`The kernel could not give a ring of ${Math.round(ringBytes / 2 ** 20)} MiB. Ask for less, for example -B 16MiB.`]
  return ['Check the interface with: ip link show']
}
