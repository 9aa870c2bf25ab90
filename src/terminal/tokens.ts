import { join } from 'node:path'
import { Flags } from '@oclif/core'
import { Tokens } from '../lib/access/index.js'
import { stateDir } from './defaults.js'

/** The file of clients that the services of this host read. */
export const stateFlag = Flags.string({
  helpValue: 'DIR',
  summary: 'State directory of the service. Default: /var/lib/earshot under systemd, else your own.',
})

export const openTokens = (state: string | undefined): Tokens => new Tokens(join(state ?? stateDir(), 'manager', 'tokens.json'))
/** What was fetched from them, and by whom. */
export const auditFile = (state: string | undefined): string => join(state ?? stateDir(), 'manager', 'audit.log')
