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
