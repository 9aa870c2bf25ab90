import koffi from 'koffi'
import { exitCodes, OperatorError } from '../base/errors.js'
import type { PacketFilter } from '../base/packet-filter.js'
import { type BpfInstruction, bpfClass, bpfJump } from '../filter/bpf.js'
import { createPacketFilter } from '../filter/packet-filter.js'

/** BPF expressions compiled by libpcap itself, so that they mean exactly what they mean to tcpdump. Loaded at the first use. */

const ETHERNET = 1
const LINKTYPE_RAW = 101
/** In files raw IP is 101 everywhere; inside libpcap it has the number that this system's DLT_RAW has. */
const DLT_RAW = 12
const SNAPLEN_MAX = 262_144
/** `ip broadcast` needs a netmask, and a passive listener has none. */
const NETMASK_UNKNOWN = 0xffff_ffff
const OPTIMIZE = 1

/** A file name per family of distributions: Debian and Ubuntu; Fedora, SUSE, Arch, Alpine; a developer's machine. */
const LIBRARY_NAMES = ['libpcap.so.0.8', 'libpcap.so.1', 'libpcap.so']

export class FilterError extends OperatorError {
  constructor(expression: string, reason: string) {
    super('FILTER', `The filter "${expression}" cannot be used: ${reason}`, {
      exit: exitCodes.usage,
      suggestions: [
        'Write it as for tcpdump, for example: udp port 5060 or host 10.0.0.1 (see man pcap-filter).',
        'Quote it, or put it after --, when the shell or an option could take a part of it.',
      ],
    })
  }
}

/** Compiles for a LINKTYPE_. Throws a FilterError with libpcap's own words. */
export function compileBpf(expression: string, linkType: number, snaplenBytes = SNAPLEN_MAX): BpfInstruction[] {
  const pcap = libpcap()
  const handle = pcap.openDead(linkType === LINKTYPE_RAW ? DLT_RAW : linkType, snaplenBytes)
  if (!handle) throw new FilterError(expression, 'libpcap is out of memory')
  // struct bpf_program { unsigned bf_len; struct bpf_insn *bf_insns; }
  const program = new Uint8Array(16)
  try {
    if (pcap.compile(handle, program, expression, OPTIMIZE, NETMASK_UNKNOWN) !== 0)
      throw new FilterError(expression, `libpcap says: ${pcap.getError(handle)}`)
    const instructions = instructionsOf(program)
    // A jump back has a huge unsigned distance. Only `protochain` makes one, and no kernel runs it.
    if (instructions.some(({ code, k }) => code === (bpfClass.jmp | bpfJump.ja) && k >= instructions.length))
      throw new FilterError(expression, 'it needs a loop ("protochain"), which filters cannot run.')
    return instructions
  } finally {
    pcap.freeCode(program)
    pcap.close(handle)
  }
}

/** struct bpf_insn: code u16, jt u8, jf u8, k u32. */
function instructionsOf(program: Uint8Array): BpfInstruction[] {
  const head = new DataView(program.buffer)
  const count = head.getUint32(0, true)
  const view = new DataView(koffi.view(head.getBigUint64(8, true), count * 8))
  return Array.from({ length: count }, (_, i) => ({
    code: view.getUint16(i * 8, true),
    jt: view.getUint8(i * 8 + 2),
    jf: view.getUint8(i * 8 + 3),
    k: view.getUint32(i * 8 + 4, true),
  }))
}

/**
 * The expression as a test in this process, for files and for what the widened kernel filter lets through.
 * Its syntax is checked now; a link type on which it makes no sense (`ether host` on raw IP) just never matches.
 */
export function openFilter(expression: string): PacketFilter {
  const compile = (linkType: number): BpfInstruction[] | undefined => {
    try {
      return compileBpf(expression, linkType)
    } catch (error) {
      if (error instanceof FilterError) return undefined
      throw error
    }
  }
  if (compile(LINKTYPE_RAW) === undefined) compileBpf(expression, ETHERNET)
  return createPacketFilter(expression, compile)
}

/** "1.10.3"; undefined where libpcap is not installed. */
export function libpcapVersion(): string | undefined {
  try {
    // "libpcap version 1.10.3 (with TPACKET_V3)"
    return /\d+(\.\d+)+\S*/.exec(libpcap().version())?.[0]
  } catch (error) {
    if (error instanceof OperatorError) return undefined
    throw error
  }
}

interface Libpcap {
  openDead(linkType: number, snaplenBytes: number): bigint | null
  compile(handle: bigint, program: Uint8Array, expression: string, optimize: number, netmask: number): number
  getError(handle: bigint): string
  freeCode(program: Uint8Array): void
  version(): string
  close(handle: bigint): void
}

let loaded: Libpcap | undefined

function libpcap(): Libpcap {
  loaded ??= load()
  return loaded
}

function load(): Libpcap {
  let cause: unknown
  for (const name of LIBRARY_NAMES) {
    try {
      const library = koffi.load(name)
      return {
        openDead: library.func('void *pcap_open_dead(int, int)'),
        compile: library.func('int pcap_compile(void *, void *, const char *, int, uint32_t)'),
        getError: library.func('const char *pcap_geterr(void *)'),
        freeCode: library.func('void pcap_freecode(void *)'),
        version: library.func('const char *pcap_lib_version()'),
        close: library.func('void pcap_close(void *)'),
      } as unknown as Libpcap
    } catch (error) {
      cause ??= error
    }
  }
  throw new OperatorError('LIBPCAP_MISSING', 'A filter expression needs the library libpcap, which is not installed here.', {
    cause,
    suggestions: [
      'Debian, Ubuntu: apt install libpcap0.8 (named libpcap0.8t64 on newer ones).',
      'Fedora, RHEL: dnf install libpcap.',
      'Or leave the filter out.',
    ],
  })
}
