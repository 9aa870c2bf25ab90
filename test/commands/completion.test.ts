import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'

// Tab in real shells, with the scripts that `earshot completion` prints.
const root = join(import.meta.dirname, '..', '..')
const dir = mkdtempSync(join(tmpdir(), 'earshot-completion-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))
const script = (shell: string): string => {
  const { status, stdout } = spawnSync(process.execPath, [join(root, 'bin', 'run.js'), 'completion', shell], { encoding: 'utf8' })
  expect(status).toBe(0)
  return stdout
}
writeFileSync(join(dir, 'capture.pcap'), '')
writeFileSync(join(dir, 'earshot.bash'), script('bash'))
writeFileSync(join(dir, '_earshot'), script('zsh'))

describe('bash', () => {
  const complete = (words: string[]): string[] => {
    const { status, stdout, stderr } = spawnSync(
      'bash',
      [
        '--norc',
        '-c',
        `source ./earshot.bash; COMP_WORDS=("$@"); COMP_CWORD=$((\${#COMP_WORDS[@]} - 1)); _earshot; printf '%s\\n' "\${COMPREPLY[@]}"`,
        '-',
        ...words,
      ],
      { encoding: 'utf8', cwd: dir },
    )
    expect([status, stderr]).toEqual([0, ''])
    return stdout.split('\n').filter(Boolean)
  }

  test.each<[string[], string[]]>([
    [['earshot', 'sn'], ['sniff']],
    [
      ['earshot', 'cdr', ''],
      ['export', 'prune', 'query', 'show', 'stats'],
    ],
    [['earshot', 'manager', 'token', 'a'], ['add']],
    [['earshot', 'sniff', '--mask'], ['--mask-dtmf']],
    [
      ['earshot', 'sniff', '-r', 'x', '-o', ''],
      ['table', 'json', 'ndjson', 'csv', 'tsv'],
    ],
    [['earshot', 'sniff', '--output', 'nd'], ['ndjson']],
    [
      ['earshot', 'sniff', '--output', '='],
      ['table', 'json', 'ndjson', 'csv', 'tsv'],
    ],
    [['earshot', 'sniff', '--output', '=', 'cs'], ['csv']],
    [['earshot', 'sniff', '-r', 'cap'], ['capture.pcap']],
    [['earshot', 'sniff', '-i', 'an'], ['any']],
    [['earshot', 'sniff', '-i', 'l'], ['lo']],
    [['earshot', 'sniff', '--count', ''], []],
    [['earshot', 'sniff', '--no-man'], ['--no-manager']],
    [['earshot', 'nothing', ''], ['cdr']],
  ])('%j', (words, want) => expect(complete(words)).toEqual(want[0] === 'cdr' ? expect.arrayContaining(want) : want))
})

const zsh = spawnSync('zsh', ['--version']).status === 0
describe.skipIf(!zsh)('zsh [needs zsh]', () => {
  /** Types into a shell of its own and waits until it shows what is wanted; killed when it never does. */
  const shows = (typed: string, pattern: string): boolean => {
    const driver = `
      zmodload zsh/zpty
      zpty z zsh -f -i
      zpty -w z "PS1='>'; fpath=(${dir} \\$fpath); autoload -Uz compinit; compinit -u -d ${dir}/dump; LISTMAX=1000; setopt nobeep; print REA''DY"
      zpty -r z out '*READY*'
      zpty -n -w z "$1"$'\\t\\t'
      zpty -r z out "*$2*"`
    const { status } = spawnSync('zsh', ['-f', '-c', driver, '-', typed, pattern], { cwd: dir, timeout: 15_000, encoding: 'utf8' })
    return status === 0
  }

  test.each([
    ['earshot s', 'Listen for SIP'],
    ['earshot cdr ', 'Key figures of calls'],
    ['earshot manager token ', 'Shut a client'],
    ['earshot sniff -o ', 'ndjson*table*tsv'],
    ['earshot sniff --mask', '--mask-dtmf='],
    ['earshot sniff -r cap', 'capture.pcap'],
  ])('%s ⇥', (typed, pattern) => expect(shows(typed, pattern)).toBe(true), 20_000)
})
