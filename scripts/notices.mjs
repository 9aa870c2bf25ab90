// THIRD-PARTY-NOTICES.md: the packages that an installation of Earshot brings along, in node_modules or as a part of the built
// program, with their licences.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './commands.mjs'

/** Directories of packages in the built program: above each module there stands where it is from. */
function builtIn() {
  const dist = join(root, 'dist')
  const built = readdirSync(dist, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.cjs'))
  const from = built.flatMap((file) => [
    ...readFileSync(join(dist, file), 'latin1').matchAll(/^ *\/\/ ((?:node_modules\/(?:@[^/\n]+\/)?[^/\n]+\/)+)/gm),
  ])
  return new Set(from.map(([, directory]) => directory.slice(0, -1)))
}

/** Packages of the lock that are installed with the program or are a part of it. */
function broughtAlong() {
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'))
  const inProgram = builtIn()
  return Object.entries(packages)
    .filter(([path, entry]) => path !== '' && (inProgram.has(path) || (entry.dev !== true && entry.devOptional !== true)))
    .map(([path, entry]) => ({ path, optional: entry.optional === true }))
}

/** A licence's own file; a package that carries none says in its package.json which it is. */
function noticeOf(path) {
  const directory = join(root, path)
  const { name, version, license, licenses, author, repository } = JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8'))
  const files = readdirSync(directory).filter((file) => /^(licen[cs]e|copying|notice)/i.test(file) && !/\.(js|ts|json)$/.test(file))
  const text = files
    .sort()
    .map((file) => readFileSync(join(directory, file), 'utf8').replaceAll('\r\n', '\n').trim())
    .join('\n\n')
  const of = license ?? (licenses ?? []).map((l) => l.type ?? l).join(' OR ')
  const by = typeof author === 'string' ? author : author?.name
  return {
    name,
    version,
    license: typeof of === 'string' ? of : of.type,
    text,
    by,
    from: typeof repository === 'string' ? repository : repository?.url,
  }
}

export function notices() {
  const found = new Map()
  for (const { path, optional } of broughtAlong()) {
    // Binaries for other systems are not here, and are not installed with ours either.
    if (!existsSync(join(root, path, 'package.json'))) {
      if (!optional) throw new Error(`${path} is not installed: npm ci`)
      continue
    }
    const notice = noticeOf(path)
    found.set(`${notice.name}@${notice.version}`, notice)
  }
  const sorted = [...found.values()].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : a.version < b.version ? -1 : 1))
  const unknown = sorted.filter(({ license }) => !license)
  if (unknown.length > 0) throw new Error(`No licence: ${unknown.map(({ name }) => name).join(', ')}`)
  // Many packages share one text to the letter.
  const byText = new Map()
  for (const notice of sorted) byText.set(notice.text, [...(byText.get(notice.text) ?? []), notice])
  return [
    '# Third-party notices',
    '',
    'Earshot is under the licence in LICENSE. It brings these packages along, beside it or built into it, each under its own licence.',
    '',
    '| package | licence |',
    '|---|---|',
    ...sorted.map(({ name, version, license }) => `| ${name} ${version} | ${license} |`),
    '',
    ...[...byText].flatMap(([text, of]) => [
      `## ${of.map(({ name, version }) => `${name} ${version}`).join(', ')}`,
      '',
      ...(text === ''
        ? of.map(
            ({ name, license, by, from }) =>
              `${name} carries no text of its licence; it says: ${license}${by ? `, by ${by}` : ''}${from ? `, ${from}` : ''}.`,
          )
        : ['```', text.replaceAll('```', "'''"), '```']),
      '',
    ]),
  ].join('\n')
}

export const writeNotices = (file = join(root, 'THIRD-PARTY-NOTICES.md')) => writeFileSync(file, notices())
