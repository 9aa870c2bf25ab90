import { type Hook, loadHelpClass } from '@oclif/core'
import { exitCodes } from '../../lib/base/errors.js'
import { nearest } from '../../lib/query/nearest.js'

/** A command that there is not: `help …` shows the help of what follows; else the nearest one is named. Loaded only then. */
const hook: Hook.CommandNotFound = async ({ id, config }) => {
  const words = id.split(':')
  if (words[0] === 'help') {
    const Help = await loadHelpClass(config)
    const { helpOptions } = config.pjson.oclif
    await new Help(config, helpOptions).showHelp(words.length > 1 ? words.slice(1) : [])
    return
  }
  const known = [...config.commandIDs, ...config.topics.map(({ name }) => name)].map((name) => name.replaceAll(':', ' '))
  const meant = suggestion(words, known)
  process.stderr.write(
    [
      `Error: There is no command "${words.join(' ')}".`,
      ...(meant === undefined ? [] : [`  → Did you mean: earshot ${meant}`]),
      '  → All commands: earshot --help',
      '',
    ].join('\n'),
  )
  process.exitCode = exitCodes.usage
}
export default hook

/** Words behind the command may be its arguments: the longest beginning that looks like a command counts. */
function suggestion(words: readonly string[], known: readonly string[]): string | undefined {
  for (let length = words.length; length > 0; length--) {
    const typed = words.slice(0, length).join(' ')
    const found = nearest(typed, known) ?? nearest(words.slice(0, length).join('-'), known)
    if (found !== undefined) return found
  }
  return undefined
}
