// What the manifest says of the commands, in the form that the manual and the completions need.
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = join(dirname(fileURLToPath(import.meta.url)), '..')

export const packageJson = () => JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))

/** Where each command's source is: `cdr:query` is `cdr/query.ts`, `sniff` is `sniff/index.ts`, as oclif names what it finds in files. */
export const commandFiles = () =>
  readdirSync(join(root, 'src', 'commands'), { recursive: true, encoding: 'utf8' })
    .filter((file) => /\.tsx?$/.test(file))
    .map((file) => ({ id: file.replace(/(\/index)?\.tsx?$/, '').replaceAll('/', ':'), file }))

/** Commands in order, each with its words ("cdr query"); nothing that is hidden. */
export function commands() {
  const manifest = JSON.parse(readFileSync(join(root, 'oclif.manifest.json'), 'utf8'))
  return Object.values(manifest.commands)
    .filter((command) => !command.hidden)
    .map((command) => ({
      ...command,
      words: command.id.replaceAll(':', ' '),
      args: Object.values(command.args ?? {}).filter((arg) => !arg.hidden),
      flags: Object.values(command.flags ?? {}).filter((flag) => !flag.hidden),
    }))
}

/** `cdr` → "Find, show and export call records." */
export const topics = () =>
  Object.entries(packageJson().oclif.topics ?? {}).map(([id, { description }]) => ({ words: id.replaceAll(':', ' '), description }))

/** Every way to write a flag: `-i`, `--interface`, `--no-manager`; aliases of VoIPmonitor's spelling are left out. */
export function spellings(flag) {
  const long = `--${flag.name}`
  return [...(flag.char ? [`-${flag.char}`] : []), long, ...(flag.allowNo ? [`--no-${flag.name}`] : [])]
}

/** "<%= config.bin %> <%= command.id %> -r x" → "earshot sniff -r x". */
export const example = (text, command) => text.replaceAll('<%= config.bin %>', 'earshot').replaceAll('<%= command.id %>', command.words)
