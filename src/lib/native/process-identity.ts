import { readFileSync, readlinkSync } from 'node:fs'

/**
 * Which process this is, so that whoever reads it later on the same machine can tell whether it still runs: the boot, the
 * namespace its number is from, the number, and when it was started (proc_pid_stat(5), field 22: numbers are used again).
 */
export function processIdentity(): string {
  return [bootId(), pidNamespace(), process.pid, startTicks(process.pid) ?? 0].join('.')
}

/** `unknown` where it cannot be told: another machine, another boot, another container, or no identity at all. */
export function processState(identity: string): 'runs' | 'gone' | 'unknown' {
  const m = /^([\da-f]+)\.(\d+)\.(\d+)\.(\d+)(?:\.|$)/.exec(identity)
  if (m === null || m[1] !== bootId() || m[2] !== pidNamespace() || m[1] === '0') return 'unknown'
  return startTicks(Number(m[3])) === Number(m[4]) ? 'runs' : 'gone'
}

/** Half of it: enough to tell machines apart, short enough to be written next to others. */
const bootId = (): string =>
  attempt(() => readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').replaceAll('-', '').slice(0, 16)) ?? '0'
const pidNamespace = (): string => attempt(() => /\d+/.exec(readlinkSync('/proc/self/ns/pid'))?.[0]) ?? '0'

function startTicks(pid: number): number | undefined {
  // The name before it may hold blanks and brackets.
  return attempt(() => Number(readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ').at(-1)?.split(' ')[19]))
}

function attempt<T>(work: () => T): T | undefined {
  try {
    return work()
  } catch {
    return undefined
  }
}
