// The manual: earshot(1) and a page for each command, from the manifest, as dist/man/*.1 (roff with the man macros).
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { commands, example, packageJson, root, spellings, topics } from './commands.mjs'

/** Text → roff: no macro and no escape comes from it, and what is beyond ASCII is named. */
const special = {
  '’': '\\(cq',
  '‘': '\\(oq',
  '“': '\\(lq',
  '”': '\\(rq',
  '…': '...',
  '–': '\\(en',
  '—': '\\(em',
  '→': '\\(->',
  '≥': '\\(>=',
  '≤': '\\(<=',
  '×': '\\(mu',
  '·': '\\(pc',
}
export const roff = (text) =>
  text
    .replaceAll('\\', '\\e')
    .replace(/[-~^`]/g, (c) => ({ '-': '\\-', '~': '\\(ti', '^': '\\(ha', '`': '\\(ga' })[c])
    .replace(/[^\x20-\x7e\n]/g, (c) => special[c] ?? `\\[u${c.codePointAt(0).toString(16).toUpperCase().padStart(4, '0')}]`)
    .replace(/^([.'])/gm, '\\&$1')

const bold = (text) => `\\fB${roff(text)}\\fR`
const italic = (text) => `\\fI${roff(text)}\\fR`
/** A line that ends in the middle of a sentence goes on in the next. */
const paragraphs = (text) =>
  text
    .replace(/([^.!?:\n])\n/g, '$1 ')
    .split('\n')
    .filter(Boolean)
    .map((line) => `.PP\n${roff(line)}`)
    .join('\n')

function head(name, summary) {
  const { version } = packageJson()
  // Names of options and files are long: no line is stretched for them.
  return [
    `.TH "${name.toUpperCase().replaceAll('-', '\\-')}" "1" "" "earshot ${version}" "Earshot"`,
    '.ad l',
    '.SH NAME',
    `${roff(name)} \\- ${roff(summary.replace(/\.$/, ''))}`,
  ]
}

const placeholder = (flag) =>
  flag.type === 'boolean' ? '' : ` ${italic(flag.options ? flag.options.join('|') : (flag.helpValue ?? 'VALUE'))}`

function flagEntry(flag) {
  const names = spellings(flag).map(bold).join(', ')
  const more = [
    ...(flag.default !== undefined && flag.type !== 'boolean' && flag.default !== ''
      ? [`Default: ${[flag.default].flat().join(', ')}.`]
      : []),
    ...(flag.env ? [`Environment: ${flag.env}.`] : []),
  ]
  const text = [flag.summary ?? flag.description ?? '', ...more].filter(Boolean).join(' ')
  return `.TP\n${names}${placeholder(flag)}\n${roff(text)}`
}

const page = (name) => `earshot-${name.replaceAll(' ', '-')}`

function commandPage(command) {
  const groups = new Map()
  for (const flag of command.flags) groups.set(flag.helpGroup ?? '', [...(groups.get(flag.helpGroup ?? '') ?? []), flag])
  const args = command.args.map((arg) => (arg.required ? italic(arg.name.toUpperCase()) : `[${italic(arg.name.toUpperCase())}]`))
  return [
    ...head(page(command.words), command.summary ?? command.description.split('\n')[0]),
    '.SH SYNOPSIS',
    [bold(`earshot ${command.words}`), '[options]', ...args, ...(command.strict === false && args.length === 0 ? ['[words]'] : [])].join(
      ' ',
    ),
    ...(command.description ? ['.SH DESCRIPTION', paragraphs(command.description).replace(/^\.PP\n/, '')] : []),
    ...(command.args.some((arg) => arg.description)
      ? ['.SH ARGUMENTS', ...command.args.map((arg) => `.TP\n${italic(arg.name.toUpperCase())}\n${roff(arg.description ?? '')}`)]
      : []),
    ...(groups.size > 0 ? ['.SH OPTIONS'] : []),
    ...[...groups].flatMap(([group, flags]) => [
      ...(group === '' ? [] : [`.SS "${roff(group[0] + group.slice(1).toLowerCase())}"`]),
      ...flags.map(flagEntry),
    ]),
    ...(command.examples?.length > 0 ? ['.SH EXAMPLES', ...command.examples.map((e) => exampleEntry(e, command))] : []),
    '.SH "SEE ALSO"',
    `${bold('earshot')}(1)`,
    '',
  ].join('\n')
}

function exampleEntry(given, command) {
  const { description, command: line } = typeof given === 'string' ? { description: undefined, command: given } : given
  return [...(description ? [`.PP\n${roff(description)}:`] : ['.PP']), '.RS 4', '.nf', roff(example(line, command)), '.fi', '.RE'].join(
    '\n',
  )
}

/** From docs/exit-codes.md, so that it is told once. */
function exitCodes() {
  const rows = [...readFileSync(join(root, 'docs', 'exit-codes.md'), 'utf8').matchAll(/^\|\s*(\d+)\s*\|\s*(.+?)\s*\|$/gm)]
  if (rows.length < 5) throw new Error('docs/exit-codes.md has no table of codes.')
  return rows.map(([, code, text]) => `.TP\n${bold(code)}\n${roff(text.replaceAll('`', '').replaceAll('|', ';'))}`)
}

function overview(all) {
  return [
    ...head('earshot', 'passive VoIP monitor for the terminal'),
    '.SH SYNOPSIS',
    `${bold('earshot')} ${italic('COMMAND')} [options]`,
    '.SH DESCRIPTION',
    paragraphs(
      'Listens to SIP and RTP on interfaces, in capture files or from other sensors, and makes of them one record for each call, its quality, and a pcap with its packets.\nEach command has a page of its own, and tells its options with --help.',
    ).replace(/^\.PP\n/, ''),
    '.SH COMMANDS',
    ...all.map((command) => `.TP\n${bold(command.words)}\n${roff(command.summary ?? '')} See ${bold(page(command.words))}(1).`),
    '.SH TOPICS',
    ...topics().map(({ words, description }) => `.TP\n${bold(words)}\n${roff(description)}`),
    '.SH "EXIT STATUS"',
    ...exitCodes(),
    '.SH FILES',
    `.TP\n${italic('/var/lib/earshot')}\n${roff('State of services: records (calls.db), pcaps (spool), records that wait (queue), tokens and audit log (manager). Under systemd: STATE_DIRECTORY.')}`,
    `.TP\n${italic('~/.local/share/earshot')}\n${roff('The same for what a person runs; XDG_DATA_HOME changes it.')}`,
    `.TP\n${italic('/run/earshot')}\n${roff('Sockets of the services of this host. Under systemd: RUNTIME_DIRECTORY.')}`,
    `.TP\n${italic('~/.config/earshot')}\n${roff('A token, and the fingerprints of services that were seen.')}`,
    '.SH EXAMPLES',
    ...[
      ['The calls of a capture', 'earshot sniff -r call.pcap'],
      ['Watch a PBX: records and a pcap for each call', 'sudo earshot sniff -i eth0'],
      ['The bad calls of the last hour', 'earshot cdr query --since -1h --mos-below 3.6'],
      ['The packets of one', 'earshot fetch-pcap 4711 -w call.pcap'],
    ].map(([description, command]) => exampleEntry({ description, command }, { words: '' })),
    '.SH "SEE ALSO"',
    all.map((command) => `${bold(page(command.words))}(1)`).join(',\n'),
    '',
  ].join('\n')
}

/** Name → text of each page. */
export function pages() {
  const all = commands()
  return new Map([['earshot.1', overview(all)], ...all.map((command) => [`${page(command.words)}.1`, commandPage(command)])])
}

export function writeManual(directory = join(root, 'dist', 'man')) {
  const made = pages()
  mkdirSync(directory, { recursive: true })
  for (const [name, text] of made) writeFileSync(join(directory, name), text)
  return [...made.keys()]
}

/** Pages of commands that are gone go, too. */
export function cleanManual(directory = join(root, 'dist', 'man')) {
  rmSync(directory, { recursive: true, force: true })
}
