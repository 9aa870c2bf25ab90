import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { metricsMarkdown } from '../src/lib/metrics/markdown.js'
import { queriesMarkdown } from '../src/lib/query/markdown.js'
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
