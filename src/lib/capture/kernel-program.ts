import { answer, type BpfInstruction, jumpIfEqual, loadWord } from '../filter/bpf.js'
import { type KernelView, namesTags, tagTypes } from '../filter/widen.js'
import { ARPHRD_LOOPBACK } from './interfaces.js'

/** The BPF program that the kernel runs over every packet, before anything is copied into the ring. */

/** linux/filter.h: offsets from here on read what the kernel knows of the packet, not its bytes. */
const ANCILLARY = -0x1000
const PROTOCOL = ANCILLARY + 0
const PACKET_TYPE = ANCILLARY + 4
const HARDWARE_TYPE = ANCILLARY + 28
const TAG_PRESENT = ANCILLARY + 48
const PACKET_OUTGOING = 4

/** The most instructions that the kernel takes (BPF_MAXINSNS). */
export const KERNEL_PROGRAM_MAX = 4096

/** `compiled` is the widened expression for this view, or undefined when every packet is wanted. */
export function kernelProgram(
  expression: string,
  view: KernelView,
  compiled: readonly BpfInstruction[] | undefined,
  snaplenBytes: number,
): BpfInstruction[] {
  const whole = compiled ?? [answer(snaplenBytes)]
  const program = [...skipLoopbackTwins, ...(compiled === undefined ? [] : passTags(expression, view, snaplenBytes)), ...whole]
  // A superset that the kernel refuses is of no use; what it lets through is tested again anyway.
  return program.length <= KERNEL_PROGRAM_MAX ? program : [...skipLoopbackTwins, answer(snaplenBytes)]
}

/** On loopback every packet is seen twice, leaving and arriving. Only the arrival counts. */
const skipLoopbackTwins: readonly BpfInstruction[] = [
  loadWord(PACKET_TYPE),
  jumpIfEqual(PACKET_OUTGOING, 0, 3),
  loadWord(HARDWARE_TYPE),
  jumpIfEqual(ARPHRD_LOOPBACK, 0, 1),
  answer(0),
]

/**
 * The kernel has taken the outer VLAN tag out of the bytes. Usually that is just what `port 5060` wants; but `vlan 5` would never
 * match. And where the filter starts at the network header, a second tag is known only by the packet's protocol.
 */
function passTags(expression: string, view: KernelView, snaplenBytes: number): BpfInstruction[] {
  const present = namesTags(expression) ? [loadWord(TAG_PRESENT), jumpIfEqual(0, 1, 0), answer(snaplenBytes)] : []
  if (view === 'ethernet') return present
  return [...present, loadWord(PROTOCOL), ...tagTypes.flatMap((type) => [jumpIfEqual(type, 0, 1), answer(snaplenBytes)])]
}
