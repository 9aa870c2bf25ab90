/**
 * How fast is this machine? The yardsticks that were measured on the machine for which the goals were set, measured here: goals in packets
 * a second mean little without them. Needs tshark and the made load (bench/sniff.sh makes it).
 *
 *   npx tsx bench/machine.ts [FILE]
 */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { codecs } from '../src/lib/codec/index.js'

const file = process.argv[2] ?? join(import.meta.dirname, 'tmp', '500.pcap')
const bytes = new Uint8Array(readFileSync(file))
const row = (what: string, here: number, there: number, unit: string, more: 'better' | 'worse'): void => {
  const factor = more === 'better' ? here / there : there / here
  console.log(`| ${what} | ${here.toPrecision(3)} ${unit} | ${there} ${unit} | ${factor.toFixed(2)} |`)
}

/** Best of some, in seconds. */
function seconds(times: number, work: () => void): number {
  let best = Number.POSITIVE_INFINITY
  for (let i = 0; i < times; i++) {
    const began = performance.now()
    work()
    best = Math.min(best, (performance.now() - began) / 1000)
  }
  return best
}

/** Records → Ethernet → IPv4 → UDP → a table of flows → jitter (RFC 3550 A.8), and nothing else. */
function bareLoop(): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const flows = new Map<number, number>()
  const transit = new Float64Array(65_536)
  const jitter = new Float64Array(65_536)
  let packets = 0
  for (let at = 24; at + 16 <= bytes.length; ) {
    const captured = view.getUint32(at + 8, true)
    const micros = view.getUint32(at, true) * 1e6 + view.getUint32(at + 4, true)
    const ip = at + 16 + 14
    at += 16 + captured
    packets++
    if (view.getUint16(ip - 2) !== 0x0800 || bytes[ip + 9] !== 17) continue
    const rtp = ip + 28
    if (bytes[rtp] !== 0x80) continue
    const key = view.getUint32(ip + 16) * 65_536 + view.getUint16(ip + 22)
    let flow = flows.get(key)
    if (flow === undefined) {
      flow = flows.size
      flows.set(key, flow)
    }
    const now = micros / 125 - view.getUint32(rtp + 4)
    const difference = Math.abs(now - transit[flow]!)
    transit[flow] = now
    jitter[flow]! += (difference - jitter[flow]!) / 16
  }
  return packets
}

// There: spikes/README of the reference, Debian 12, two cores, Node 20.20, 991,520 packets.
console.log('| what | here | where the goals were set | this machine is so many times as fast |')
console.log('|---|---|---|---|')
row(
  '`cat` of the file',
  seconds(5, () => execFileSync('cat', [file], { stdio: 'ignore' })),
  0.035,
  's',
  'worse',
)
let packets = 0
const loop = seconds(7, () => {
  packets = bareLoop()
})
row('bare TypeScript loop', packets / loop / 1e6, 11, 'M packets/s', 'better')
const half = bytes.subarray(24, 24 + (512 << 10))
const packed = new Uint8Array(codecs.lz4.bound(half.length))
const lz4 = seconds(200, () => void codecs.lz4.compress(half, packed))
row('`lz4` of 512 KiB of it', half.length / lz4 / 1e9, 2.1, 'GB/s', 'better')
row(
  '`tshark -q -z rtp,streams`',
  seconds(2, () => execFileSync('tshark', ['-r', file, '-q', '-z', 'rtp,streams'], { stdio: 'ignore' })),
  4.2,
  's',
  'worse',
)
