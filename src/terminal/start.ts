import type { Command } from '@oclif/core'

/** Where each command is: `cdr:query` → its module, loaded when it is called. */
export type CommandTable = Readonly<Record<string, () => Promise<{ readonly default: Command.Class }>>>

export interface Program {
  /** The directory of package.json. */
  readonly root: string
  readonly commands: CommandTable
  /** What answers to a command that there is not: oclif takes hooks from files only. */
  readonly commandNotFound: { readonly target: string; readonly identifier: string }
}

/** One run of the program, from its words to its exit code. What needs no command needs no oclif. */
export async function start(program: Program, argv: readonly string[]): Promise<void> {
  const [first] = argv
  if (first === undefined) return (await import('./short-help.js')).printShortHelp()
  if (argv.length === 1 && ['--version', '-V', 'version'].includes(first)) return (await import('./versions.js')).printVersions()
  return (await import('./run-command.js')).runCommand(program, argv)
}
