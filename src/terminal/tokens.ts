import { accessSync, constants } from 'node:fs'
import { join } from 'node:path'
import { Flags } from '@oclif/core'
import { Tokens } from '../lib/access/index.js'
import { serviceDirs, stateDir } from './defaults.js'

/** The file of clients that the services of this host read. */
export const stateFlag = Flags.string({
  helpValue: 'DIR',
  summary: 'State directory of the service. Default: /var/lib/earshot where you may write there, else your own.',
})

/** Of this very process, which is a service. */
export const openOwnTokens = (): Tokens => new Tokens(tokensIn(stateDir()))

/** Of the services that a person looks after. */
export const openTokens = (state: string | undefined): Tokens => new Tokens(tokensIn(state ?? serviceState()))
/** What was fetched from them, and by whom. */
export const auditFile = (state: string | undefined): string => join(state ?? serviceState(), 'manager', 'audit.log')

const tokensIn = (state: string): string => join(state, 'manager', 'tokens.json')

/** An administrator means the services of the host, as soon as they are set up. */
function serviceState(): string {
  if (process.env['STATE_DIRECTORY'] !== undefined) return stateDir()
  try {
    accessSync(serviceDirs.state, constants.W_OK)
    return serviceDirs.state
  } catch {
    return stateDir()
  }
}
