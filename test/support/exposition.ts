/**
 * A strict reader of Prometheus' text format 0.0.4, written from its specification and not from ours: refuses whatever the
 * specification does not allow, and whatever Prometheus would not take.
 */
export interface Family {
  readonly name: string
  readonly type: 'counter' | 'gauge' | 'histogram' | 'summary' | 'untyped'
  readonly help: string
  readonly samples: readonly { readonly name: string; readonly labels: Readonly<Record<string, string>>; readonly value: number }[]
}

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/
const LABEL = /^[a-zA-Z_][a-zA-Z0-9_]*$/
const TYPES = ['counter', 'gauge', 'histogram', 'summary', 'untyped']

export function readExposition(text: string): Map<string, Family> {
  if (text !== '' && !text.endsWith('\n')) throw new Error('The last line does not end.')
  if (text.includes('\r')) throw new Error('A carriage return.')
  const families = new Map<string, { name: string; type: Family['type']; help: string; samples: Family['samples'][number][] }>()
  const seen = new Set<string>()
  let current: string | undefined
  const enter = (name: string): { name: string; type: Family['type']; help: string; samples: Family['samples'][number][] } => {
    const known = families.get(name)
    // All lines of a metric are one group.
    if (known !== undefined && current !== name) throw new Error(`${name} comes in two groups.`)
    current = name
    const made = known ?? { name, type: 'untyped' as const, help: '', samples: [] }
    families.set(name, made)
    return made
  }
  for (const line of text.split('\n')) {
    if (line.trim() === '') continue
    const comment = /^# (HELP|TYPE) (\S+) ?(.*)$/.exec(line)
    if (comment !== null) {
      const [, kind, name, rest] = comment as unknown as [string, string, string, string]
      if (!NAME.test(name)) throw new Error(`${name} is no name.`)
      const key = `${kind} ${name}`
      if (seen.has(key)) throw new Error(`A second ${key}.`)
      seen.add(key)
      const family = enter(name)
      if (kind === 'HELP') family.help = rest
      else {
        if (family.samples.length > 0) throw new Error(`TYPE of ${name} after its samples.`)
        if (!TYPES.includes(rest)) throw new Error(`${rest} is no type.`)
        family.type = rest as Family['type']
      }
      continue
    }
    if (line.startsWith('#')) continue
    const sample = readSample(line)
    const key = `${sample.name} ${JSON.stringify(Object.entries(sample.labels).sort())}`
    if (seen.has(key)) throw new Error(`${key} comes twice.`)
    seen.add(key)
    const owner = [
      sample.name,
      ...['_bucket', '_sum', '_count'].filter((s) => sample.name.endsWith(s)).map((s) => sample.name.slice(0, -s.length)),
    ].find((name) => families.has(name))
    enter(owner ?? sample.name).samples.push(sample)
  }
  for (const family of families.values()) if (family.type === 'histogram') checkHistogram(family)
  return families
}

function readSample(line: string): Family['samples'][number] {
  const head = /^([a-zA-Z_:][a-zA-Z0-9_:]*)/.exec(line)
  if (head === null) throw new Error(`No sample: ${line}`)
  const name = head[0]
  const labels: Record<string, string> = {}
  let at = name.length
  if (line[at] === '{') {
    at++
    while (line[at] !== '}') {
      const label = /^[^=]+/.exec(line.slice(at))?.[0] ?? ''
      if (!LABEL.test(label) || label in labels) throw new Error(`The label "${label}" in: ${line}`)
      at += label.length
      if (line.slice(at, at + 2) !== '="') throw new Error(`A label without a value in: ${line}`)
      at += 2
      let value = ''
      for (; line[at] !== '"'; at++) {
        if (at >= line.length) throw new Error(`A label that does not end in: ${line}`)
        if (line[at] !== '\\') value += line[at]
        else {
          const escaped = { '\\': '\\', '"': '"', n: '\n' }[line[++at] ?? '']
          if (escaped === undefined) throw new Error(`An escape that there is not in: ${line}`)
          value += escaped
        }
      }
      at++
      labels[label] = value
      if (line[at] === ',') at++
      else if (line[at] !== '}') throw new Error(`Neither , nor } in: ${line}`)
    }
    at++
  }
  const rest = /^[ \t]+(\S+)$/.exec(line.slice(at))?.[1]
  if (rest === undefined) throw new Error(`No value in: ${line}`)
  const value =
    { '+Inf': Number.POSITIVE_INFINITY, '-Inf': Number.NEGATIVE_INFINITY, NaN: Number.NaN }[rest] ??
    (/^[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$/.test(rest) ? Number(rest) : undefined)
  if (value === undefined) throw new Error(`"${rest}" is no number: ${line}`)
  return { name, labels, value }
}

/** Buckets are cumulative, the last is +Inf and equals the count; a sum and a count for each set of labels. */
function checkHistogram({ name, samples }: Family): void {
  const sets = new Map<string, { buckets: [number, number][]; sum?: number; count?: number }>()
  for (const { name: of, labels, value } of samples) {
    const { le, ...others } = labels
    const key = JSON.stringify(Object.entries(others).sort())
    const set = sets.get(key) ?? { buckets: [] }
    sets.set(key, set)
    if (of === `${name}_bucket`) set.buckets.push([le === '+Inf' ? Number.POSITIVE_INFINITY : Number(le), value])
    else if (of === `${name}_sum`) set.sum = value
    else if (of === `${name}_count`) set.count = value
    else throw new Error(`${of} in the histogram ${name}.`)
  }
  for (const [key, { buckets, sum, count }] of sets) {
    for (let i = 1; i < buckets.length; i++) {
      const [[le, below], [next, value]] = [buckets[i - 1]!, buckets[i]!]
      if (!(le < next) || value < below) throw new Error(`${name} ${key}: buckets out of order at ${next}.`)
    }
    const last = buckets.at(-1)
    if (last === undefined || last[0] !== Number.POSITIVE_INFINITY) throw new Error(`${name} ${key}: no bucket +Inf.`)
    if (sum === undefined || count !== last[1]) throw new Error(`${name} ${key}: sum ${sum}, count ${count}, bucket +Inf ${last[1]}.`)
  }
}
