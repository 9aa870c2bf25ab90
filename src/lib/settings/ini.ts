/**
 * Text of a configuration file → its lines. `[section]`, `key = value`, comments after `#` or `;` that have a line of their own:
 * a value may contain both, as BPF expressions and VoIPmonitor's lists do. Quotes around a value keep its spaces.
 */
export interface Entry {
  /** Lower case; "general" before the first header. */
  readonly section: string
  /** Lower case, with underscores. */
  readonly key: string
  /** As it is written. */
  readonly name: string
  readonly value: string
  readonly line: number
  /** Of a file that another one includes. */
  readonly path?: string
}

export interface IniText {
  readonly entries: readonly Entry[]
  /** Every header, also of an empty section. */
  readonly sections: readonly { readonly name: string; readonly line: number }[]
  readonly problems: readonly { readonly line: number; readonly message: string; readonly next: string }[]
}

/** More than anyone writes; a wrong file (a pcap, a log) ends here. */
const LINES_MAX = 20_000
const PROBLEMS_MAX = 50

export function readIni(text: string): IniText {
  const entries: Entry[] = []
  const sections: { name: string; line: number }[] = []
  const problems: { line: number; message: string; next: string }[] = []
  let section = 'general'
  const lines = text.replace(/^\uFEFF/, '').split(/\r?\n/)
  for (const [index, whole] of lines.entries()) {
    const line = index + 1
    if (line > LINES_MAX || problems.length >= PROBLEMS_MAX) {
      problems.push({ line, message: 'this is no configuration file: the rest was not read', next: 'Name a file of lines "key = value".' })
      break
    }
    const trimmed = whole.trim()
    if (trimmed === '' || trimmed.startsWith('#') || trimmed.startsWith(';')) continue
    const header = /^\[([^\]]*)\]$/.exec(trimmed)
    if (header !== null) {
      section = (header[1] as string).trim().replace(/^[^@]*/, (name) => name.toLowerCase())
      sections.push({ name: section, line })
      continue
    }
    const m = /^(\w[\w.-]*)\s*=\s*(.*)$/.exec(trimmed)
    if (m === null) {
      problems.push({
        line,
        message: `the line that begins "${shown(trimmed)}" is neither a section nor "key = value"`,
        next: 'A comment begins with #.',
      })
      continue
    }
    const [, name, value] = m as unknown as [string, string, string]
    entries.push({ section, key: name.toLowerCase().replaceAll('-', '_'), name, value: unquoted(value), line })
  }
  return { entries, sections, problems }
}

function unquoted(value: string): string {
  const m = /^"(.*)"$|^'(.*)'$/.exec(value)
  return m === null ? value : (m[1] ?? m[2] ?? '')
}

/** The first word of a line, for a message: what follows could be a secret, or no text at all. */
const shown = (text: string): string => {
  const [word = ''] = text.replace(/[^\x20-\x7e\u00a0-\uffff]/g, '?').split(/\s/)
  return word.length > 40 ? `${word.slice(0, 40)}…` : word
}
