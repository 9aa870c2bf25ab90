import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Bytes, pcapOf } from './frames.js'

/** What tcpdump itself says: for each frame, whether the expression matches. */
export function tcpdumpVerdicts(linkType: number, frames: readonly Bytes[], expression: string): boolean[] {
  const folder = mkdtempSync(join(tmpdir(), 'earshot-tcpdump-'))
  try {
    const file = join(folder, 'frames.pcap')
    writeFileSync(file, pcapOf(linkType, frames))
    const passed = execFileSync('tcpdump', ['-r', file, '-w', '-', '--', expression], { stdio: ['ignore', 'pipe', 'pipe'] })
    const verdicts = frames.map(() => false)
    for (let at = 24; at < passed.length; at += 16 + passed.readUInt32LE(at + 8)) verdicts[passed.readUInt32LE(at) - 1_700_000_000] = true
    return verdicts
  } finally {
    rmSync(folder, { recursive: true })
  }
}
