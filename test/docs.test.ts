import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { metricsMarkdown } from '../src/lib/metrics/markdown.js'
import { queriesMarkdown } from '../src/lib/query/markdown.js'
import { parseExpression } from '../src/lib/query/parse.js'
import { settingsMarkdown } from '../src/lib/settings/markdown.js'
import { voipmonitorOptionsMarkdown } from '../src/lib/settings/voipmonitor/markdown.js'
import { schemaMarkdown } from '../src/lib/store/markdown.js'

// Pages made from tables say what the tables say.
const page = (name: string): string => readFileSync(join(import.meta.dirname, '..', 'docs', name), 'utf8')

test('docs/schema.md is fresh (npx tsx scripts/docs.ts)', () => expect(page('schema.md')).toBe(schemaMarkdown()))
test('docs/queries.md is fresh (npx tsx scripts/docs.ts)', () => expect(page('queries.md')).toBe(queriesMarkdown()))
test('docs/metrics.md is fresh (npx tsx scripts/docs.ts)', () => expect(page('metrics.md')).toBe(metricsMarkdown()))
test('docs/settings.md is fresh (npx tsx scripts/docs.ts)', () => expect(page('settings.md')).toBe(settingsMarkdown()))
test('docs/voipmonitor-options.md is fresh (npx tsx scripts/docs.ts)', () =>
  expect(page('voipmonitor-options.md')).toBe(voipmonitorOptionsMarkdown()))

// What people copy must run.
const root = join(import.meta.dirname, '..')
const below = (directory: string, ending: string): string[] =>
  (readdirSync(join(root, directory), { recursive: true }) as string[])
    .filter((name) => name.endsWith(ending))
    .map((name) => join(directory, name))
const asked = ['README.md', ...below('docs', '.md'), ...below('src', '.ts')].flatMap((file) =>
  [...readFileSync(join(root, file), 'utf8').matchAll(/--where '([^'\n]+)'/g)].map(
    ([, expression]) => [file, expression as string] as const,
  ),
)
test.each(asked.filter(([, expression]) => expression !== '…'))('%s: --where %s is a question that is understood', (_, expression) => {
  expect(parseExpression(expression, 0)).toBeDefined()
})

// … and be there: every command with its flags, as oclif knows them (`earshot sensor` alone is a topic).
interface Known {
  readonly id: string
  readonly flags: Readonly<Record<string, { char?: string; aliases?: string[]; charAliases?: string[]; allowNo?: boolean }>>
}
const manifest = JSON.parse(readFileSync(join(root, 'oclif.manifest.json'), 'utf8')) as { commands: Readonly<Record<string, Known>> }
const commands = new Map(Object.values(manifest.commands).map((command) => [command.id.replaceAll(':', ' '), command]))
const topics = new Set([...commands.keys()].map((id) => id.split(' ')[0]))

/** What of a line is unknown. */
function unknownIn(line: string): string[] {
  const words = line.split(' ')
  const id = [3, 2, 1].map((n) => words.slice(0, n).join(' ')).find((name) => commands.has(name))
  if (id === undefined) return words.length === 1 && topics.has(line) ? [] : [`the command ${line}`]
  const flags = Object.entries((commands.get(id) as Known).flags)
  const long = new Set([
    'help',
    ...flags.flatMap(([name, flag]) => [name, ...(flag.aliases ?? []), ...(flag.allowNo ? [`no-${name}`] : [])]),
  ])
  const short = new Set(['h', ...flags.flatMap(([, flag]) => [flag.char, ...(flag.charAliases ?? [])])])
  return [
    ...[...line.matchAll(/\s--([a-z][a-z-]*)/g)].filter(([, name]) => !long.has(name as string)),
    ...[...line.matchAll(/\s-([a-zA-Z])(?=\s|$)/g)].filter(([, char]) => !short.has(char)),
  ].map(([flag]) => `${id}${flag}`)
}
test.each(['README.md', ...below('docs', '.md')])('%s: commands and flags that there are', (file) => {
  const text = readFileSync(join(root, file), 'utf8')
  const lines = [...text.matchAll(/(?:^|[`\s(;|&"'])(?:bin\/)?earshot ([a-z][a-z-]*(?: [^`\n|;#]*)?)/gm)].map(([, line]) =>
    (line as string).trim(),
  )
  expect(lines.flatMap(unknownIn)).toEqual([])
})
