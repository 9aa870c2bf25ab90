import { OperatorError } from '../../lib/base/errors.js'
import type { SettingChange } from '../../lib/settings/resolve.js'
import { type Configuration, problemText } from '../configuration.js'
import type { Log } from '../log/log.js'

/** SIGHUP: the configuration is read again; what can change without a gap does, and what cannot is said, key by key. */
export interface ReloadPart {
  /** Settings that change together. */
  readonly keys: readonly string[]
  /** Takes what the flags say now. Throws, and changes nothing, when it cannot. An answer is what there is to say besides. */
  apply(): string | undefined | Promise<string | undefined>
  /** Also when no setting changed: the files that they name may have. */
  readonly always?: true
}

export async function reload(configuration: Configuration, log: Log, parts: readonly ReloadPart[]): Promise<void> {
  const { changes, problems } = configuration.reload()
  if (problems.length > 0) {
    for (const problem of problems) log.event('error', `${problemText(problem)} ${problem.next}`)
    log.event('error', 'Nothing was loaded anew: all settings stay as they were.')
    return
  }
  const left = new Set(changes)
  let failed = false
  for (const { keys, apply, always } of parts) {
    const own = changes.filter(({ key }) => keys.includes(key))
    if (own.length === 0 && always === undefined) continue
    for (const change of own) left.delete(change)
    try {
      const said = await apply()
      for (const change of own) log.event('notice', `Loaded anew: ${changeText(change)}`)
      if (said !== undefined) log.event('notice', said)
    } catch (error) {
      failed = true
      configuration.keep(own)
      const what = own.length > 0 ? own.map(changeText).join(', ') : keys.join(', ')
      log.event('error', `Not loaded anew: ${what}. ${reasonOf(error)}`)
    }
  }
  for (const change of left) log.event('warning', `Not before the next start: ${changeText(change)}`)
  if (changes.length === 0 && !failed) log.event('notice', 'Loaded anew: no setting has changed.')
}

const changeText = ({ key, text, origin }: SettingChange): string => `${key} = ${text} (${origin.text})`

const reasonOf = (error: unknown): string =>
  error instanceof OperatorError ? [error.message, ...error.suggestions].join(' → ') : `${(error as Error).message}.`
