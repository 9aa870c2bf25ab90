import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { describe, expect, test } from 'vitest'

// Who may import whom. A folder imports lower rings; its own ring only where the table says; a package has one home.

const src = join(import.meta.dirname, '..', 'src')

const rings: Readonly<Record<string, number>> = {
  base: 0,
  wire: 1,
  sip: 1,
  filter: 1,
  pcap: 1,
  codec: 1,
  reassembly: 2,
  dissect: 2,
  rtp: 2,
  call: 2,
  live: 2,
  query: 2,
  settings: 3,
  capture: 3,
  mirror: 3,
  spool: 3,
  store: 3,
  native: 3,
  access: 3,
  manager: 3,
  journal: 3,
  health: 3,
  metrics: 3,
  sniffer: 4,
}

/** Imports within one ring, each with its reason. */
const sameRing: readonly (readonly [from: string, to: string, reason: string])[] = [
  ['dissect', 'reassembly', 'a packet made of fragments is dissected further'],
  ['call', 'dissect', 'the tracker walks every packet'],
  ['call', 'reassembly', 'and reads SIP from TCP'],
  ['call', 'rtp', 'streams belong to calls'],
  ['live', 'call', 'a view of the tracker’s calls'],
  ['live', 'rtp', 'and of the quality of their streams'],
  ['query', 'call', 'questions are about a call and its JSON'],
  ['capture', 'native', 'system calls'],
  ['store', 'native', 'where a thread’s built file is'],
  ['access', 'native', 'making of directories'],
  ['manager', 'native', 'where a thread’s built file is'],
  ['manager', 'access', 'who may come in'],
  ['query', 'call', 'questions are about a call and its JSON'],
  ['spool', 'native', 'where a thread’s built file is, and locks'],
  ['mirror', 'native', 'directories made without a loop'],
  ['spool', 'capture', 'a call’s file is read like any capture'],
  ['health', 'manager', 'a verdict is about what a service counts'],
  ['metrics', 'manager', 'and so are metrics'],
  ['metrics', 'health', 'the verdicts of /healthz'],
  ['metrics', 'access', 'who may read them'],
  ['journal', 'native', 'a lock that ends with its process'],
]

const packageHomes: Readonly<Record<string, readonly string[]>> = {
  koffi: ['lib/capture', 'lib/native'],
  'better-sqlite3': ['lib/store/sqlite'],
  lz4: ['lib/codec'],
  mysql2: ['lib/store/mysql'],
  'cli-table3': ['terminal'],
  ink: ['terminal/live'],
  react: ['terminal/live'],
  'string-width': ['terminal/live'],
  selfsigned: ['lib/access'],
  'prom-client': ['lib/metrics'],
  pino: ['terminal/log'],
  '@oclif/core': ['commands', 'terminal'],
}

interface Import {
  readonly file: string
  readonly folder: string
  readonly target: string
}

/** `@oclif/core/flags` → `@oclif/core`. */
const packageOf = (target: string): string => /^(@[^/]+\/)?[^/]+/.exec(target)?.[0] ?? target

const files = (readdirSync(src, { recursive: true, encoding: 'utf8' }) as string[]).filter(
  (name) => /\.tsx?$/.test(name) && !name.endsWith('.d.ts'),
)
const text = (file: string): string => readFileSync(join(src, file), 'utf8')
const folderOf = (file: string): string => (file.startsWith('lib/') ? (file.split('/')[1] as string) : (file.split('/')[0] as string))
const isPure = (file: string): boolean => file.startsWith('lib/') && (rings[folderOf(file)] ?? 9) <= 2

const imports: Import[] = files.flatMap((file) =>
  [
    ...text(file).matchAll(
      /^(?:import|export)\b[^'\n]*\bfrom '([^'\n]+)'$|^import '([^'\n]+)'$|^\} from '([^'\n]+)'$|\bimport\('([^'\n]+)'\)/gm,
    ),
  ].map(([, from, bare, block, dynamic]) => ({ file, folder: folderOf(file), target: (from ?? bare ?? block ?? dynamic) as string })),
)
const local = imports
  .filter((i) => i.target.startsWith('.'))
  .map((i) => ({ ...i, to: relative(src, join(src, dirname(i.file), i.target)) }))

describe('imports', () => {
  test('every folder of lib has a ring', () => {
    expect(
      readdirSync(join(src, 'lib'), { withFileTypes: true })
        .filter((e) => e.isDirectory() && rings[e.name] === undefined)
        .map((e) => e.name),
    ).toEqual([])
  })

  test('a folder imports lower rings, and its own only as the table says', () => {
    const wrong = local.filter(({ file, folder, to }) => {
      if (!file.startsWith('lib/') || file === 'lib/index.ts') return false
      if (!to.startsWith('lib/')) return true
      const other = folderOf(to)
      if (other === folder) return false
      const [from, target] = [rings[folder] ?? -1, rings[other] ?? 9]
      return (
        target > from || (target === from && !(from === 1 && other === 'base') && !sameRing.some(([a, b]) => a === folder && b === other))
      )
    })
    // settings reads the limits it fills; edges read the nouns they carry: both are lower rings.
    expect(wrong.map(({ file, to }) => `${file} → ${to}: a higher or a forbidden ring`)).toEqual([])
  })

  test('nothing imports commands; terminal and commands import lib, never the other way', () => {
    expect(local.filter(({ file, to }) => to.startsWith('commands/') && !file.startsWith('commands/')).map(({ file }) => file)).toEqual([])
    expect(local.filter(({ file, to }) => file.startsWith('lib/') && to.startsWith('terminal/')).map(({ file }) => file)).toEqual([])
  })

  test('only commands and terminal read settings', () => {
    expect(
      local
        .filter(
          ({ file, folder, to }) =>
            to.startsWith('lib/settings/') && file.startsWith('lib/') && folder !== 'settings' && file !== 'lib/index.ts',
        )
        .map(({ file }) => file),
    ).toEqual([])
  })

  test('a package has one home', () => {
    const wrong = imports.filter(({ file, target }) => {
      if (target.startsWith('.') || target.startsWith('node:')) return false
      const homes = packageHomes[packageOf(target)]
      return homes === undefined || !homes.some((home) => file.startsWith(`${home}/`))
    })
    expect(wrong.map(({ file, target }) => `${file} imports ${target}`)).toEqual([])
  })

  test('the core has no platform: no node: module, no package (codec apart), no clock, no timer, no console', () => {
    const forbidden = /\bDate\.now\b|\bnew Date\b|\bsetTimeout\b|\bsetInterval\b|\bconsole\.|\bprocess\.|\bperformance\./
    const wrong = files.filter(isPure).flatMap((file) => {
      const found = imports
        .filter(
          (i) => i.file === file && !i.target.startsWith('.') && !(i.folder === 'codec' && packageHomes[i.target]?.includes('lib/codec')),
        )
        .map((i) => `${file} imports ${i.target}`)
      const code = text(file).replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '')
      return forbidden.test(code) ? [...found, `${file} uses ${forbidden.exec(code)?.[0]}`] : found
    })
    expect(wrong).toEqual([])
  })

  test('no cycles between folders of a ring', () => {
    const edges = new Set(
      local
        .filter(({ file, to }) => file.startsWith('lib/') && folderOf(file) !== folderOf(to))
        .map(({ folder, to }) => `${folder}>${folderOf(to)}`),
    )
    expect([...edges].filter((edge) => edges.has(edge.split('>').reverse().join('>')))).toEqual([])
  })
})

test('a file’s top tells what it is', () => {
  const silent = files.filter((file) => {
    const lines = text(file).split('\n').slice(0, 45)
    return !lines.some((line) => /^\s*(\/\*\*|\/\/) ?\S?/.test(line))
  })
  expect(silent).toEqual([])
})
