import { openSync, read, writeSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { interfaceRequest, SystemError } from '../../src/lib/capture/native.js'

/**
 * A wire that is late and loses, where the kernel has no netem: two tun interfaces, and each packet of one handed to the other.
 * Words: the two names. Lines on standard input change it: {"delayMs":50,"jitterMs":10,"loss":0.05}.
 */
const TUNSETIFF = 0x400454ca
const IFF_TUN_NO_PI = 0x1001
const PACKET_MAX = 65_536

let bad = { delayMs: 0, jitterMs: 0, loss: 0 }

function openTun(name: string): number {
  const fd = openSync('/dev/net/tun', 'r+')
  const ifreq = new Uint8Array(40)
  ifreq.set(new TextEncoder().encode(name))
  new DataView(ifreq.buffer).setUint16(16, IFF_TUN_NO_PI, true)
  if (!interfaceRequest(fd, TUNSETIFF, ifreq)) throw new SystemError('TUNSETIFF')
  return fd
}

/** Packets on their way, in the order of their time; one timer for all. */
class Late {
  readonly #to: number
  #waiting: { dueMs: number; packet: Uint8Array }[] = []
  #timer: NodeJS.Timeout | undefined

  constructor(to: number) {
    this.#to = to
  }

  put(packet: Uint8Array): void {
    if (bad.loss > 0 && Math.random() < bad.loss) return
    const delayMs = bad.delayMs + (bad.jitterMs > 0 ? (Math.random() * 2 - 1) * bad.jitterMs : 0)
    if (delayMs <= 0) {
      this.#hand(packet)
      return
    }
    const dueMs = performance.now() + delayMs
    let at = this.#waiting.length
    while (at > 0 && this.#waiting[at - 1]!.dueMs > dueMs) at--
    this.#waiting.splice(at, 0, { dueMs, packet })
    this.#timer ??= setTimeout(() => this.#due(), delayMs)
  }

  #due(): void {
    const now = performance.now()
    let count = 0
    while (count < this.#waiting.length && this.#waiting[count]!.dueMs <= now) count++
    for (const { packet } of this.#waiting.splice(0, count)) this.#hand(packet)
    const next = this.#waiting[0]
    this.#timer = next === undefined ? undefined : setTimeout(() => this.#due(), Math.max(0, next.dueMs - now))
  }

  #hand(packet: Uint8Array): void {
    try {
      writeSync(this.#to, packet)
    } catch {
      // An interface that is down takes nothing.
    }
  }
}

function relay(from: number, to: Late): void {
  const buffer = new Uint8Array(PACKET_MAX)
  read(from, buffer, 0, buffer.length, null, (error, length) => {
    // An interface that is down gives nothing.
    if (error) setTimeout(() => relay(from, to), 20)
    else {
      to.put(buffer.slice(0, length))
      relay(from, to)
    }
  })
}

const [a, b] = [openTun(process.argv[2] as string), openTun(process.argv[3] as string)]
relay(a, new Late(b))
relay(b, new Late(a))
process.stdout.write('ready\n')
for await (const line of createInterface({ input: process.stdin })) bad = { ...bad, ...JSON.parse(line) }
process.exit(0)
