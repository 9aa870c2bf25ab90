import { readFileSync } from 'node:fs'
import { libraryVersions } from '../lib/sniffer/versions.js'

/** `earshot --version`: Earshot and Node in the form that oclif gives them, then the libraries that it works with. */
export async function printVersions(): Promise<void> {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }
  const { sqlite, libpcap } = await libraryVersions()
  process.stdout.write(
    [
      `earshot/${version} ${process.platform}-${process.arch} node-${process.version}`,
      `SQLite: ${sqlite ?? 'not usable: better-sqlite3 was not built for this Node. npm rebuild better-sqlite3'}`,
      `libpcap: ${libpcap ?? 'not found, needed for filter expressions: apt install libpcap0.8'}`,
      '',
    ].join('\n'),
  )
}
