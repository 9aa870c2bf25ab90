import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Command, Interfaces } from '@oclif/core'
import { flush, handle, Plugin, run } from './oclif.js'

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
  // Where a package's native part is missing, Node's loader leaves a second rejection that nobody holds.
  process.on('unhandledRejection', (error: NodeJS.ErrnoException) => {
    if (!['ERR_DLOPEN_FAILED', 'MODULE_NOT_FOUND'].includes(error?.code ?? '')) throw error
  })
  try {
    const plugin = new BuiltIn(program)
    await plugin.load()
    await run([...argv], { root: program.root, plugins: new Map([[plugin.name, plugin]]) })
    // A stdout whose reader is gone never drains.
    if (process.stdout.writable) await flush()
  } catch (error) {
    const { tellMissingPart } = await import('./missing-part.js')
    if (!tellMissingPart(error)) await handle(error as Error)
  }
}

/** The commands of this package as oclif's plugin: their modules from the table, what is known of them from the manifest. */
class BuiltIn extends Plugin {
  readonly #program: Program

  constructor(program: Program) {
    super({ root: program.root })
    this.#program = program
  }

  /** As oclif's own does, less the search for files, and less the sorting of what is sorted: the rules of a language take 10 ms to load. */
  override async load(): Promise<void> {
    const { root, commandNotFound } = this.#program
    const pjson = readJson(join(root, 'package.json')) as Interfaces.PJSON
    const { name, version } = pjson
    this.manifest = readJson(join(root, 'oclif.manifest.json')) as Interfaces.Manifest
    Object.assign(this, {
      type: 'core',
      isRoot: true,
      valid: true,
      hasManifest: true,
      moduleType: 'commonjs',
      root,
      pjson,
      name,
      alias: name,
      version,
    })
    this.commandIDs = Object.keys(this.manifest.commands)
    this.commands = Object.values(this.manifest.commands).map((command) => ({
      ...command,
      load: () => this.findCommand(command.id, { must: true }),
      pluginAlias: name,
      pluginType: this.type,
    }))
    this.hooks = { command_not_found: [commandNotFound] }
  }

  override findCommand(id: string, options: { must: true }): Promise<Command.Class>
  override findCommand(id: string, options?: { must: boolean }): Promise<Command.Class | undefined>
  override async findCommand(id: string): Promise<Command.Class | undefined> {
    const command = (await this.#program.commands[id]?.())?.default
    return command && Object.assign(command, { id, plugin: this })
  }
}

const readJson = (path: string): unknown => JSON.parse(readFileSync(path, 'utf8'))
