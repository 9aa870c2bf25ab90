import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline/promises'
import { Flags } from '@oclif/core'
import { KnownServers } from '../lib/access/index.js'
import { OperatorError } from '../lib/base/errors.js'
import { addressText, type ClientOptions, parseAddress } from '../lib/manager/index.js'
import { accessSettings } from '../lib/settings/manager.js'
import { configDir } from './defaults.js'
import { flagsFor, type TextFlag } from './setting-flags.js'

/** How a command that asks other managers says who it is, and whom it believes. Secrets come from files or the environment, never from argv. */
export const accessFlags = {
  ...(flagsFor(accessSettings, 'ACCESS') as Record<'token-file' | 'client-cert' | 'client-key', TextFlag>),
  'accept-new': Flags.boolean({
    helpGroup: 'ACCESS',
    summary: 'Believe services that were never seen before, without asking; their fingerprints are remembered.',
  }),
}

export interface AccessFlags {
  readonly 'token-file'?: string | undefined
  readonly 'client-cert'?: string | undefined
  readonly 'client-key'?: string | undefined
  readonly 'accept-new'?: boolean
}

export const knownServers = (): KnownServers => new KnownServers(join(configDir(), 'known_servers'))

/** What to connect to `address` with. */
export function clientOptionsFor(address: string, flags: AccessFlags): ClientOptions {
  const certificate = flags['client-cert']
  const key = flags['client-key']
  return {
    known: knownServers(),
    token: tokenFor(address, flags['token-file']),
    ...(certificate !== undefined && key !== undefined && { certificate: { certificate: read(certificate), key: read(key) } }),
    trust: async (name, fingerprint) => flags['accept-new'] === true || (await askWhether(name, fingerprint)),
  }
}

/** Lines are a token for all, or `ADDRESS TOKEN`. Exported for its test. */
export function tokenFor(address: string, file: string | undefined): string | undefined {
  const path = file ?? join(configDir(), 'token')
  const given = file === undefined ? process.env['EARSHOT_TOKEN'] : undefined
  if (given !== undefined && given !== '') return given.trim()
  if (file === undefined && !existsSync(path)) return undefined
  const lines = read(path)
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([first]) => first !== undefined && first !== '' && !first.startsWith('#'))
  const wanted = whole(address)
  return (
    lines.find(([a, token]) => token !== undefined && whole(a as string) === wanted)?.[1] ?? lines.find((words) => words.length === 1)?.[0]
  )
}

/** However somebody writes an address: with its port. What is none stays what it is. */
function whole(address: string): string {
  try {
    return addressText(parseAddress(address))
  } catch {
    return address
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw new OperatorError('READ', `Cannot read "${path}": ${(error as Error).message}.`, {
      cause: error,
      exit: 2,
      suggestions: ['Check the path and its permissions.'],
    })
  }
}

/** As ssh asks. Without a terminal nobody can answer. */
async function askWhether(name: string, fingerprint: string): Promise<boolean> {
  if (!process.stdin.isTTY || !process.stderr.isTTY) return false
  const question = createInterface({ input: process.stdin, output: process.stderr })
  try {
    const answer = await question.question(
      `${name} is not known yet. Its certificate is\n  ${fingerprint}\nBelieve it from now on (yes/no)? `,
    )
    return /^y(es)?$/i.test(answer.trim())
  } finally {
    question.close()
  }
}
