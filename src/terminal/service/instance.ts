import { OperatorError } from '../../lib/base/errors.js'
import { isService } from '../log/log.js'

/**
 * Which of several services of one kind this is. `earshot-sniff@eth1` is the instance "eth1" of sniff: its section of the
 * configuration is [sniff@eth1], its socket sniff@eth1.sock. The unit without an instance is alone under its name; what a
 * person starts is told apart by its process.
 */
const NAME = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$/

export function checkInstance(name: string): void {
  if (NAME.test(name)) return
  throw new OperatorError('INSTANCE', `"${name}" is no name for an instance.`, {
    exit: 2,
    suggestions: ['Up to 64 letters, digits, . _ : -, beginning with a letter or a digit; an interface’s name is a good one.'],
  })
}

/** The name of a service on this host, and of its socket: `sniff@eth1`, `sniff`, `sniff-4711`. */
export function serviceName(service: string, instance: string | undefined, environment: NodeJS.ProcessEnv = process.env): string {
  if (instance !== undefined) return `${service}@${instance}`
  return isService(environment) ? service : `${service}-${process.pid}`
}

/** Services that give their own number to the packets they take from a wire. */
export const captures = (name: string): boolean => /^(sniff|mirror-send)\b/.test(name)
