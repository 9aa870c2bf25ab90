/** Writes the pages of docs/ that come from tables in the code: `npx tsx scripts/docs.ts`. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { metricsMarkdown } from '../src/lib/metrics/markdown.js'
import { queriesMarkdown } from '../src/lib/query/markdown.js'
import { settingsMarkdown } from '../src/lib/settings/markdown.js'
import { voipmonitorOptionsMarkdown } from '../src/lib/settings/voipmonitor/markdown.js'
import { schemaMarkdown } from '../src/lib/store/markdown.js'

const docs = join(import.meta.dirname, '..', 'docs')
writeFileSync(join(docs, 'schema.md'), schemaMarkdown())
writeFileSync(join(docs, 'queries.md'), queriesMarkdown())
writeFileSync(join(docs, 'settings.md'), settingsMarkdown())
writeFileSync(join(docs, 'metrics.md'), metricsMarkdown())
writeFileSync(join(docs, 'voipmonitor-options.md'), voipmonitorOptionsMarkdown())
