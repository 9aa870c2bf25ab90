import { answer, type BpfInstruction, jump, jumpIfEqual, loadWord } from '../filter/bpf.js'
import { namesTags, widen } from '../filter/widen.js'
import { compileBpf } from './bpf-compile.js'
import { ARPHRD_ETHER, ARPHRD_LOOPBACK } from './interfaces.js'

/** The BPF program that the kernel runs over every packet, before anything is copied into the ring. */

const LINKTYPE_ETHERNET = 1
const LINKTYPE_RAW = 101

/** linux/filter.h: offsets from here on read what the kernel knows of the packet, not its bytes. */
const ANCILLARY = -0x1000
const PACKET_TYPE = ANCILLARY + 4
const HARDWARE_TYPE = ANCILLARY + 28
const TAG_PRESENT = ANCILLARY + 48
const PACKET_OUTGOING = 4

/** Interfaces whose packets begin with the IP header: tun and WireGuard, raw IP modems, and tunnels ipip, ip6tnl and sit. */
const RAW_HARDWARE = [0xfffe, 519, 768, 769, 776]

/** The most instructions that the kernel takes (BPF_MAXINSNS). */
const INSTRUCTIONS_MAX = 4096

/** For one Ethernet interface, or else for a socket whose packets may come from any kind of interface. */
export function kernelProgram(expression: string, ethernet: boolean, snaplenBytes: number): BpfInstruction[] {
  const all = answer(snaplenBytes)
  if (expression.trim() === '') return [...skipLoopbackTwins, all]
  // First alone, so that an error shows the operator's words. A cooked header holds no more than raw IP does.
  compileBpf(expression, ethernet ? LINKTYPE_ETHERNET : LINKTYPE_RAW, snaplenBytes)

  const onEthernet = [
    ...passTags(expression, all),
    ...compileBpf(widen(expression, 'ethernet').expression, LINKTYPE_ETHERNET, snaplenBytes),
  ]
  const program = [...skipLoopbackTwins, ...(ethernet ? onEthernet : byHardware(onEthernet, rawProgram(expression, snaplenBytes), all))]
  // What the kernel would refuse as too long is done without it: every packet is tested again anyway.
  return program.length <= INSTRUCTIONS_MAX ? program : [...skipLoopbackTwins, all]
}

const rawProgram = (expression: string, snaplenBytes: number): BpfInstruction[] =>
  compileBpf(widen(expression, 'raw').expression, LINKTYPE_RAW, snaplenBytes)

/** On loopback every packet is seen twice, leaving and arriving. Only the arrival counts. */
const skipLoopbackTwins: readonly BpfInstruction[] = [
  loadWord(PACKET_TYPE),
  jumpIfEqual(PACKET_OUTGOING, 0, 3),
  loadWord(HARDWARE_TYPE),
  jumpIfEqual(ARPHRD_LOOPBACK, 0, 1),
  answer(0),
]

/** The kernel has taken the outer tag out of the bytes. That is just what `port 5060` wants; but `vlan 5` would never match. */
const passTags = (expression: string, all: BpfInstruction): BpfInstruction[] =>
  namesTags(expression) ? [loadWord(TAG_PRESENT), jumpIfEqual(0, 1, 0), all] : []

/**
 * Chooses by the packet's interface. Of a kind that is neither, every packet is taken.
 *   load hardware type | equal? jump … | all | program for raw IP | program for Ethernet
 */
function byHardware(onEthernet: readonly BpfInstruction[], onRaw: readonly BpfInstruction[], all: BpfInstruction): BpfInstruction[] {
  const choices = [
    ...[ARPHRD_ETHER, ARPHRD_LOOPBACK].map((type) => [type, onRaw.length] as const),
    ...RAW_HARDWARE.map((type) => [type, 0] as const),
  ]
  return [
    loadWord(HARDWARE_TYPE),
    // A test jumps at most 255 instructions far; `ja` as far as one likes. Behind it are two for each choice left, and `all`.
    ...choices.flatMap(([type, to], i) => [jumpIfEqual(type, 0, 1), jump((choices.length - 1 - i) * 2 + 1 + to)]),
    all,
    ...onRaw,
    ...onEthernet,
  ]
}
