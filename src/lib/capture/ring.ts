import type { PacketBatch } from '../base/packets.js'
import type { Micros } from '../base/units.js'
import { answer, type BpfInstruction } from '../filter/bpf.js'
import { ARPHRD_ETHER, ARPHRD_LOOPBACK } from './interfaces.js'
import type { BlockSource } from './interleave.js'
import {
  addressOf,
  bind,
  close,
  errno,
  getOption,
  int32,
  MAP_FAILED,
  mmap,
  munmap,
  SystemError,
  setOption,
  socket,
  viewOf,
} from './native.js'

/**
 * One packet socket with its ring, memory shared with the kernel (linux/if_packet.h, TPACKET_V3):
 *
 *   | block 0 | block 1 | …      the kernel fills a block, hands it over (full, or `RETIRE_MS` old), goes on with the next
 *   block:  header 48 | packet | packet | …
 *   packet: tpacket3_hdr 48 | sockaddr_ll 20 | room | frame
 *
 * A batch is a block read in place. What the kernel took out of a frame, or never had, is written back into the room before it.
 */

const AF_PACKET = 17
const SOCK_RAW = 3
const ETH_P_ALL = 3
const SOL_SOCKET = 1
const SO_ERROR = 4
const SO_ATTACH_FILTER = 26
const SOL_PACKET = 263
const PACKET_ADD_MEMBERSHIP = 1
const PACKET_MR_PROMISC = 1
const PACKET_RX_RING = 5
const PACKET_STATISTICS = 6
const PACKET_VERSION = 10
const PACKET_RESERVE = 12
const TPACKET_V3 = 2
const PROT_READ_WRITE = 3
const MAP_SHARED = 1

/** Words of struct tpacket_block_desc. */
const BLOCK_STATUS = 2
const BLOCK_COUNT = 3
const BLOCK_FIRST = 4
const STATUS_KERNEL = 0
const STATUS_USER = 1

/** Words of struct tpacket3_hdr; the word MAC holds the offsets of the link header and of the network header. */
const NEXT = 0
const SECONDS = 1
const NANOSECONDS = 2
const CAPTURED = 3
const LENGTH = 4
const STATUS = 5
const MAC = 6
const TAG = 8
const TAG_TYPE = 9
const STATUS_TAG = 1 << 4
const STATUS_TAG_TYPE = 1 << 6
const DEFAULT_TAG_TYPE = 0x8100

/** struct sockaddr_ll behind the packet header: family, protocol, interface, hardware type, packet type, address length, address. */
const LINK_ADDRESS = 48

const LINKTYPE_ETHERNET = 1
const LINKTYPE_SLL2 = 276
const ETHERNET_LENGTH = 14
const SLL2_LENGTH = 20
const TAG_LENGTH = 4
/** An Ethernet frame's tag goes behind both its addresses. */
const ADDRESSES_LENGTH = 12
/** Room before each frame for a tag, or for a cooked header and a tag. */
const ROOM = 32

const BLOCK_BYTES = 1 << 20
const BLOCK_BYTES_MIN = 1 << 16
const BLOCKS_MIN = 4
/** Only a divisor of the block for the kernel's arithmetic; packets of TPACKET_V3 take what they need. */
const FRAME_BYTES = 2048
/** No packet takes less of a block: both headers and the frame's alignment. */
const PACKET_BYTES_MIN = 96
/** A block that is not full is handed over after this time. */
export const RETIRE_MS = 40

export interface RingOptions {
  /** For who reads the batches: the interface's name. */
  readonly name?: string
  readonly ringBytes: number
  readonly snaplenBytes: number
  /** Frames with their Ethernet headers; otherwise packets of any interface, each with a cooked header (LINKTYPE_LINUX_SLL2) that we write. */
  readonly ethernet: boolean
  /** Attached before the first packet can arrive. */
  readonly program: readonly BpfInstruction[]
}

export class PacketRing implements BlockSource {
  readonly fd: number
  readonly linkType: typeof LINKTYPE_ETHERNET | typeof LINKTYPE_SLL2
  readonly #name: string | undefined
  readonly #snaplenBytes: number
  readonly #blocks: Block[] = []
  #map = MAP_FAILED
  #mapBytes = 0
  #next = 0
  #lent = 0
  #received = 0
  #dropped = 0
  #closed = false
  readonly #at: Uint32Array
  readonly #captured: Uint32Array
  readonly #length: Uint32Array
  readonly #micros: Float64Array
  readonly #nanos: Uint16Array

  /** Throws a SystemError when the kernel refuses; then nothing is left open. */
  constructor(options: RingOptions) {
    this.linkType = options.ethernet ? LINKTYPE_ETHERNET : LINKTYPE_SLL2
    this.#name = options.name
    this.#snaplenBytes = options.snaplenBytes
    // Protocol 0: nothing arrives before `bindTo`.
    this.fd = socket(AF_PACKET, SOCK_RAW, 0)
    if (this.fd < 0) throw new SystemError('socket')
    try {
      setOption(this.fd, SOL_PACKET, PACKET_VERSION, int32(TPACKET_V3), 'PACKET_VERSION')
      setOption(this.fd, SOL_PACKET, PACKET_RESERVE, int32(ROOM), 'PACKET_RESERVE')
      this.#attach(options.program)
      this.#mapRing(options.ringBytes)
    } catch (error) {
      close(this.fd)
      throw error
    }
    const packetsMax = Math.ceil((this.#blocks[0] as Block).bytes.length / PACKET_BYTES_MIN)
    this.#at = new Uint32Array(packetsMax)
    this.#captured = new Uint32Array(packetsMax)
    this.#length = new Uint32Array(packetsMax)
    this.#micros = new Float64Array(packetsMax)
    this.#nanos = new Uint16Array(packetsMax)
  }

  #mapRing(ringBytes: number): void {
    let blockBytes = BLOCK_BYTES
    while (blockBytes > BLOCK_BYTES_MIN && ringBytes < blockBytes * BLOCKS_MIN) blockBytes /= 2
    const count = Math.max(BLOCKS_MIN, Math.floor(ringBytes / blockBytes))
    // struct tpacket_req3: block size, blocks, frame size, frames, retire time, private bytes, features.
    const request = Uint32Array.of(blockBytes, count, FRAME_BYTES, (blockBytes / FRAME_BYTES) * count, RETIRE_MS, 0, 0)
    setOption(this.fd, SOL_PACKET, PACKET_RX_RING, new Uint8Array(request.buffer), 'PACKET_RX_RING')
    this.#mapBytes = blockBytes * count
    this.#map = mmap(null, this.#mapBytes, PROT_READ_WRITE, MAP_SHARED, this.fd, 0)
    if (this.#map === MAP_FAILED) throw new SystemError('mmap')
    const ring = viewOf(this.#map, this.#mapBytes)
    for (let i = 0; i < count; i++) {
      const at = i * blockBytes
      this.#blocks.push({
        bytes: new Uint8Array(ring, at, blockBytes),
        words: new Uint32Array(ring, at, blockBytes / 4),
        lent: false,
      })
    }
  }

  /** struct sock_fprog: length u16, pointer to instructions that look like BpfInstruction, 8 bytes each. */
  #attach(program: readonly BpfInstruction[]): void {
    const code = new Uint8Array(program.length * 8)
    const view = new DataView(code.buffer)
    program.forEach(({ code, jt, jf, k }, i) => {
      view.setUint16(i * 8, code, true)
      view.setUint8(i * 8 + 2, jt)
      view.setUint8(i * 8 + 3, jf)
      view.setUint32(i * 8 + 4, k, true)
    })
    const head = new DataView(new ArrayBuffer(16))
    head.setUint16(0, program.length, true)
    head.setBigUint64(8, addressOf(code), true)
    setOption(this.fd, SOL_SOCKET, SO_ATTACH_FILTER, new Uint8Array(head.buffer), 'SO_ATTACH_FILTER')
  }

  /** Starts to receive from the interface of this index; 0 is all of them. May be called again when the interface was made anew. */
  bindTo(index: number, promiscuous: boolean): void {
    const address = new DataView(new ArrayBuffer(20))
    address.setUint16(0, AF_PACKET, true)
    address.setUint16(2, ETH_P_ALL, false)
    address.setInt32(4, index, true)
    if (bind(this.fd, new Uint8Array(address.buffer), 20) !== 0) throw new SystemError('bind')
    if (!promiscuous || index === 0) return
    // struct packet_mreq. The membership ends with the socket or the interface.
    const membership = new DataView(new ArrayBuffer(16))
    membership.setInt32(0, index, true)
    membership.setUint16(4, PACKET_MR_PROMISC, true)
    setOption(this.fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, new Uint8Array(membership.buffer), 'PACKET_ADD_MEMBERSHIP')
  }

  /**
   * What passes from now on. The kernel exchanges the programs in one step (SO_ATTACH_FILTER): no packet that both let through
   * is missed. Those of the old one are in the ring still.
   */
  refilter(program: readonly BpfInstruction[]): void {
    this.#attach(program)
  }

  /** Takes no further packets; those in the ring are still to be had, the last of them after `RETIRE_MS`. */
  stop(): void {
    this.#attach([answer(0)])
  }

  /** Reads and clears the socket's error: ENETDOWN after the interface went down or away. */
  takeError(): number {
    const value = new Uint8Array(4)
    return getOption(this.fd, SOL_SOCKET, SO_ERROR, value) ? new DataView(value.buffer).getInt32(0, true) : 0
  }

  /** A block is waiting to be taken. */
  ready(): boolean {
    return this.#waits(0)
  }

  /** A quarter of the ring waits: whoever dallies now risks losses. */
  pressed(): boolean {
    return this.#waits(this.#blocks.length >>> 2)
  }

  #waits(ahead: number): boolean {
    const block = this.#blocks[(this.#next + ahead) % this.#blocks.length] as Block
    return !block.lent && (Atomics.load(block.words, BLOCK_STATUS) & STATUS_USER) !== 0
  }

  /** The block that is ready, as a batch; `release` gives it back to the kernel. Its arrays are used again for the next one. */
  take(): BlockBatch {
    const block = this.#blocks[this.#next] as Block
    this.#next = (this.#next + 1) % this.#blocks.length
    block.lent = true
    this.#lent++
    const count = block.words[BLOCK_COUNT] as number
    const capturedBytes = this.#index(block, count)
    return {
      bytes: block.bytes,
      count,
      at: this.#at,
      captured: this.#captured,
      length: this.#length,
      micros: this.#micros,
      nanos: this.#nanos,
      linkType: this.linkType,
      interfaceName: this.#name,
      capturedBytes,
      lastMicros: (count > 0 ? this.#micros[count - 1] : 0) as Micros,
      release: () => this.#giveBack(block),
    }
  }

  #giveBack(block: Block): void {
    if (!block.lent) return
    block.lent = false
    this.#lent--
    if (this.#closed) this.#unmap()
    else Atomics.store(block.words, BLOCK_STATUS, STATUS_KERNEL)
  }

  /** One pass over a block's packet headers; answers how many bytes it holds of their packets. */
  #index({ bytes, words }: Block, count: number): number {
    const ethernet = this.linkType === LINKTYPE_ETHERNET
    const snaplenBytes = this.#snaplenBytes
    const [atOut, capturedOut, lengthOut, microsOut, nanosOut] = [this.#at, this.#captured, this.#length, this.#micros, this.#nanos]
    let at = words[BLOCK_FIRST] as number
    let capturedBytes = 0
    for (let i = 0; i < count; i++) {
      const header = at >>> 2
      const status = words[header + STATUS] as number
      const nanoseconds = words[header + NANOSECONDS] as number
      const micro = (nanoseconds / 1000) | 0
      let frameAt = at + ((words[header + MAC] as number) & 0xffff)
      let captured = words[header + CAPTURED] as number
      let length = words[header + LENGTH] as number
      if (!ethernet) {
        const added = cook(bytes, at, words, header)
        frameAt -= added
        captured += added
        length += added
      } else if ((status & STATUS_TAG) !== 0) {
        frameAt -= putTagBack(bytes, frameAt, words, header)
        captured += TAG_LENGTH
        length += TAG_LENGTH
      }
      // The kernel cut the frame before we added to it.
      if (captured > snaplenBytes) captured = snaplenBytes
      atOut[i] = frameAt
      capturedOut[i] = captured
      capturedBytes += captured
      lengthOut[i] = length
      microsOut[i] = (words[header + SECONDS] as number) * 1e6 + micro
      nanosOut[i] = nanoseconds - micro * 1000
      at += words[header + NEXT] as number
    }
    return capturedBytes
  }

  /** Packets put into the ring, and packets that found it full, since the start. Reading clears the kernel's own count. */
  statistics(): { readonly received: number; readonly dropped: number } {
    // struct tpacket_stats_v3: packets (the dropped ones among them), drops, times the ring was full.
    const value = new Uint8Array(12)
    if (!this.#closed && getOption(this.fd, SOL_PACKET, PACKET_STATISTICS, value)) {
      const view = new DataView(value.buffer)
      const dropped = view.getUint32(4, true)
      this.#received += view.getUint32(0, true) - dropped
      this.#dropped += dropped
    }
    return { received: this.#received, dropped: this.#dropped }
  }

  /** The counters stay readable. A block still lent out keeps the memory until it is released. */
  close(): void {
    if (this.#closed) return
    this.statistics()
    this.#closed = true
    close(this.fd)
    this.#unmap()
  }

  #unmap(): void {
    if (this.#lent > 0) return
    this.#blocks.length = 0
    munmap(this.#map, this.#mapBytes)
  }
}

/** A batch that lacks only what spans interfaces: how far time has come. */
export interface BlockBatch extends Omit<PacketBatch, 'until'> {
  readonly capturedBytes: number
  readonly lastMicros: Micros
}

interface Block {
  readonly bytes: Uint8Array
  readonly words: Uint32Array
  /** Handed out as a batch and not yet released. */
  lent: boolean
}

/** Moves both addresses of a frame forward by four bytes and writes the tag behind them; answers the bytes added. */
function putTagBack(bytes: Uint8Array, at: number, words: Uint32Array, header: number): number {
  bytes.copyWithin(at - TAG_LENGTH, at, at + ADDRESSES_LENGTH)
  put16(bytes, at - TAG_LENGTH + ADDRESSES_LENGTH, tagType(words, header))
  put16(bytes, at - TAG_LENGTH + ADDRESSES_LENGTH + 2, words[header + TAG] as number)
  return TAG_LENGTH
}

/**
 * Writes LINKTYPE_LINUX_SLL2 over a packet's link header and the room before it; answers the bytes added.
 *   0          2      4           8               10            11               12        20
 *   | protocol | zero | interface | hardware type | packet type | address length | address | packet …
 * A tag follows the header: the protocol is then the tag's type, and the packet's own stands behind the tag.
 * (SOCK_DGRAM would take the link header off for us. But then newer kernels name the protocol behind all tags, also behind
 * one that is still in the bytes, and nobody can tell.)
 */
function cook(bytes: Uint8Array, at: number, words: Uint32Array, header: number): number {
  const offsets = words[header + MAC] as number
  const link = at + LINK_ADDRESS
  const hardware = words[(link + 8) >>> 2] as number
  const ethernet = (hardware & 0xffff) === ARPHRD_ETHER || (hardware & 0xffff) === ARPHRD_LOOPBACK
  const macAt = at + (offsets & 0xffff)
  // Only Ethernet headers have a place of their own for the EtherType; elsewhere the kernel's word is all there is.
  const packetAt = ethernet ? macAt + ETHERNET_LENGTH : at + (offsets >>> 16)
  const type = ethernet ? get16(bytes, packetAt - 2) : 0
  // Below 0x600 it is a length: the kernel then says ETH_P_802_2, as a cooked header should.
  const protocol = type < 0x600 ? get16(bytes, link + 2) : type
  const tagged = ((words[header + STATUS] as number) & STATUS_TAG) !== 0
  const to = packetAt - SLL2_LENGTH - (tagged ? TAG_LENGTH : 0)
  put16(bytes, to, tagged ? tagType(words, header) : protocol)
  put16(bytes, to + 2, 0)
  put16(bytes, to + 4, (words[(link + 4) >>> 2] as number) >>> 16)
  put16(bytes, to + 6, words[(link + 4) >>> 2] as number)
  put16(bytes, to + 8, hardware)
  bytes[to + 10] = hardware >>> 16
  bytes[to + 11] = hardware >>> 24
  bytes.copyWithin(to + 12, link + 12, link + 20)
  if (tagged) {
    put16(bytes, to + SLL2_LENGTH, words[header + TAG] as number)
    put16(bytes, to + SLL2_LENGTH + 2, protocol)
  }
  return macAt - to
}

function tagType(words: Uint32Array, header: number): number {
  const known = ((words[header + STATUS] as number) & STATUS_TAG_TYPE) !== 0
  return known ? (words[header + TAG_TYPE] as number) & 0xffff : DEFAULT_TAG_TYPE
}

const get16 = (bytes: Uint8Array, at: number): number => ((bytes[at] as number) << 8) | (bytes[at + 1] as number)

function put16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 8
  bytes[at + 1] = value
}

/** Whether the kernel refused for lack of a right, or for lack of memory. */
export const isPermission = (error: unknown): boolean =>
  error instanceof SystemError && (error.errno === errno.perm || error.errno === errno.acces)
export const isMemory = (error: unknown): boolean =>
  error instanceof SystemError && (error.errno === errno.nomem || error.errno === errno.inval)
