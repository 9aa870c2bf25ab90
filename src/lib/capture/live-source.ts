import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises'
import { EMPTY } from '../base/bytes.js'
import { Counters } from '../base/counters.js'
import { exitCodes, OperatorError } from '../base/errors.js'
import type { Notice } from '../base/notice.js'
import type { PacketBatch, PacketSource, StopSignal } from '../base/packets.js'
import { type Micros, SECOND } from '../base/units.js'
import type { BpfInstruction } from '../filter/bpf.js'
import { ANY, indexOf, isEthernet, isUp, listInterfaces } from './interfaces.js'
import { Interleave } from './interleave.js'
import { kernelProgram } from './kernel-program.js'
import { CaptureOpenError, UnknownInterfaceError } from './live-errors.js'
import { poll } from './native.js'
import { type BlockBatch, PacketRing, RETIRE_MS } from './ring.js'

export interface LiveOptions {
  /** Names, or `any`. Each gets a socket and a ring of its own. */
  readonly interfaces: readonly string[]
  readonly ringBytes: number
  readonly snaplenBytes: number
  readonly promiscuous: boolean
  /** The operator's BPF expression; the kernel gets it widened, so test what arrives with `openFilter(expression)`. */
  readonly expression?: string
  /** One sentence when an interface goes down, comes back, or is made anew. */
  readonly onNotice?: Notice
}

/** How long a wait for packets may last, and so how long an abort may take to be seen. */
const POLL_MS = 100
/** A silent wire still moves time this often, and a lost interface is looked for this often. */
const TICK_MS = 1000
/** Packets younger than this may still be on their way through the kernel's ring: a silent wire's time stays behind the clock by it. */
const SETTLE_MS = 2 * RETIRE_MS
/** A clock set back by more than this is followed; smaller steps back are interfaces whose blocks overlap. */
const CLOCK_STEP: number = 10 * SECOND
/** What the end may take to read what had arrived: a service manager does not wait for ever. */
const REST_MS = 10_000
const NO_NUMBERS = new Uint32Array(0)
const NO_TIMES = new Float64Array(0)
const POLLIN = 1
/** How often to look again when only time is awaited. */
const HOLD_MS = 10
/** A wire with packets hands over a block at least this often. */
const BUSY_MS = 2 * RETIRE_MS
/** How long to rest between two looks at a busy wire. */
const REST_MIN_MS = 5
const REST_MAX_MS = RETIRE_MS
const EVER = Number.POSITIVE_INFINITY as Micros

/** Every packet from before this has left the kernel's ring. */
const settledAt = (nowMs: number): Micros => ((nowMs - SETTLE_MS) * 1000) as Micros

/** Packets from interfaces of this machine. Throws an OperatorError when they cannot be had. */
export function openLive(options: LiveOptions): LiveSource {
  const names = [...new Set(options.interfaces)]
  if (names.length === 0 || (names.includes(ANY) && names.length > 1))
    throw new OperatorError('INTERFACE_USAGE', 'Name one or more interfaces, or "any" alone.', {
      exit: exitCodes.usage,
      suggestions: [`Interfaces here: ${listInterfaces().join(', ')}`],
    })
  const taps: Tap[] = []
  try {
    for (const name of names) taps.push(openTap(name, options))
  } catch (error) {
    for (const tap of taps) tap.ring.close()
    throw error
  }
  return new LiveSource(taps, options)
}

/** One interface and its ring. */
interface Tap {
  readonly name: string
  readonly ring: PacketRing
  /** The interface's number; 0 for `any`. A new number means a new interface of the same name. */
  index: number
  /** False from the kernel's word that it went down until it is seen up again. */
  up: boolean
}

function openTap(name: string, options: LiveOptions): Tap {
  const index = name === ANY ? 0 : indexOf(name)
  if (name !== ANY && index === 0) throw new UnknownInterfaceError(name, listInterfaces())
  const ethernet = name !== ANY && isEthernet(name)
  const program = kernelProgram(options.expression ?? '', ethernet, options.snaplenBytes)
  let ring: PacketRing | undefined
  try {
    ring = new PacketRing({ name, ringBytes: options.ringBytes, snaplenBytes: options.snaplenBytes, ethernet, program })
    ring.bindTo(index, options.promiscuous)
    return { name, ring, index, up: true }
  } catch (error) {
    ring?.close()
    throw new CaptureOpenError(name, options.ringBytes, error)
  }
}

const LINKTYPE_ETHERNET = 1

export class LiveSource implements PacketSource {
  readonly live = true
  readonly oddities = new Counters()
  readonly #taps: readonly Tap[]
  readonly #order: Interleave
  readonly #promiscuous: boolean
  readonly #snaplenBytes: number
  readonly #notice: Notice
  /** struct pollfd for each tap: fd, wanted events, what happened. */
  readonly #descriptors: Uint8Array
  #bytes = 0
  #until = 0 as Micros
  #closed = false
  /** Grows while the rings stay far from full. */
  #restMs = REST_MIN_MS

  constructor(taps: readonly Tap[], options: LiveOptions) {
    this.#taps = taps
    this.#order = new Interleave(taps.map((tap) => tap.ring))
    this.#promiscuous = options.promiscuous
    this.#snaplenBytes = options.snaplenBytes
    this.#notice = options.onNotice ?? (() => {})
    this.#descriptors = new Uint8Array(taps.length * 8)
    const view = new DataView(this.#descriptors.buffer)
    taps.forEach((tap, i) => {
      view.setInt32(i * 8, tap.ring.fd, true)
      view.setInt16(i * 8 + 4, POLLIN, true)
    })
  }

  async *batches(signal: StopSignal): AsyncGenerator<PacketBatch> {
    let ticked = Date.now()
    let looked = ticked
    try {
      while (!signal.aborted && !this.#closed) {
        const now = Date.now()
        if (now - looked >= TICK_MS || now < looked) {
          looked = now
          this.#readErrors()
          for (const tap of this.#taps) if (!tap.up) this.#lookFor(tap)
        }
        const run = this.#order.next(settledAt(now))
        if (run !== undefined) {
          ticked = now
          yield this.#batch(run)
          // Signals and timers get their turn, also when blocks come faster than we read them.
          await nextTurn()
        } else if (now - ticked >= TICK_MS || now < ticked) {
          ticked = now
          yield this.#silence(now)
        } else if (this.#order.holding) {
          // A block that is lent out wakes `poll` at once, so this wait is by the clock.
          await pause(HOLD_MS)
        } else if (now - ticked < BUSY_MS) {
          // While packets come, the clock is cheaper than a call on another thread, and few looks at many blocks than many at one.
          await pause(this.#restMs)
          this.#restMs = this.#taps.some((tap) => tap.ring.pressed()) ? REST_MIN_MS : Math.min(this.#restMs + 1, REST_MAX_MS)
        } else if ((await poll(this.#descriptors, POLL_MS)) !== 0 && !this.#readErrors() && !this.#anyReady()) {
          // Likewise when a consumer keeps a batch for itself.
          await pause(HOLD_MS)
        }
      }
      yield* this.#rest()
    } finally {
      this.close()
    }
  }

  /** What had arrived when the end was asked for. */
  async *#rest(): AsyncGenerator<PacketBatch> {
    if (this.#closed) return
    for (const tap of this.#taps) tap.ring.stop()
    // Nothing arrives any more, and the last packets' blocks are handed over within RETIRE_MS: so this ends.
    const begun = Date.now()
    for (;;) {
      const now = Date.now()
      const over = now >= begun + SETTLE_MS
      const run = this.#order.next(over ? EVER : settledAt(now))
      if (run !== undefined && now >= begun + REST_MS) return this.#leave(run)
      if (run !== undefined) yield this.#batch(run)
      else if (over) return
      else await pause(HOLD_MS)
    }
  }

  refilter(expression: string): void {
    const programs = this.#taps.map(({ ring }) => kernelProgram(expression, ring.linkType === LINKTYPE_ETHERNET, this.#snaplenBytes))
    this.#taps.forEach(({ ring }, i) => {
      ring.refilter(programs[i] as BpfInstruction[])
    })
  }

  /** What is left in the rings when the end has taken long enough. */
  #leave(first: BlockBatch): void {
    let left = 0
    for (let run: BlockBatch | undefined = first; run !== undefined; run = this.#order.next(EVER)) {
      left += run.count
      run.release()
    }
    this.oddities.add('packet in the ring at the end, not read', left)
    this.#notice(`The end came before ${left} packets that had been captured could be read.`, 'error')
  }

  #anyReady(): boolean {
    return this.#taps.some((tap) => tap.ring.ready())
  }

  #batch(run: BlockBatch): PacketBatch {
    this.#bytes += run.capturedBytes
    return { ...run, until: this.#advance(run.lastMicros) }
  }

  #silence(nowMs: number): PacketBatch {
    return {
      bytes: EMPTY,
      count: 0,
      at: NO_NUMBERS,
      captured: NO_NUMBERS,
      length: NO_NUMBERS,
      micros: NO_TIMES,
      nanos: undefined,
      linkType: (this.#taps[0] as Tap).ring.linkType,
      until: this.#advance(settledAt(nowMs)),
      release: () => {},
    }
  }

  /** Time goes forward, unless the machine's clock was set back. */
  #advance(to: Micros): Micros {
    if (to > this.#until || to < this.#until - CLOCK_STEP) this.#until = to
    return this.#until
  }

  /** A socket error ends no capture: the kernel hands out packets again as soon as the interface is up. */
  #readErrors(): boolean {
    let some = false
    for (const tap of this.#taps) {
      if (tap.ring.takeError() === 0) continue
      some = true
      if (!tap.up) continue
      tap.up = false
      this.oddities.add('interface went down')
      this.#notice(`Interface ${tap.name} is down. Waiting for it to come up.`, 'warning')
    }
    return some
  }

  #lookFor(tap: Tap): void {
    const index = indexOf(tap.name)
    if (index === 0 || !isUp(tap.name)) return
    if (index === tap.index) {
      tap.up = true
      this.#notice(`Interface ${tap.name} is up.`, 'notice')
      return
    }
    if (isEthernet(tap.name) !== (tap.ring.linkType === LINKTYPE_ETHERNET)) {
      this.oddities.add('interface came back as another kind')
      return
    }
    try {
      tap.ring.bindTo(index, this.#promiscuous)
      tap.index = index
      tap.up = true
      this.#notice(`Interface ${tap.name} was made anew. Listening to the new one.`, 'notice')
    } catch {
      // It may be gone again already; the next look will tell.
      this.oddities.add('interface could not be bound again')
    }
  }

  progress() {
    return { bytes: this.#bytes, total: undefined }
  }

  kernel() {
    let received = 0
    let dropped = 0
    for (const { ring } of this.#taps) {
      const counts = ring.statistics()
      received += counts.received
      dropped += counts.dropped
    }
    return { received, dropped }
  }

  /** `batches` closes when it ends; this is for a source that was never read. The counters stay readable. */
  close(): void {
    this.#closed = true
    this.#order.drop()
    for (const { ring } of this.#taps) ring.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }
}
