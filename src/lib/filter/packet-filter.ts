import { u16 } from '../base/bytes.js'
import type { PacketFilter } from '../base/packet-filter.js'
import type { BpfInstruction } from './bpf.js'
import { type BpfFunction, compileToFunction } from './to-function.js'
import { isTagType, namesTags } from './widen.js'

const ETHERNET = 1
/** LINKTYPE_RAW: the packet begins with its IP header. */
const RAW = 101
const TYPE_AT = 12
const TAG_LENGTH = 4
/** The EtherType's place in the cooked headers, whose tags follow the header. */
const COOKED_TYPE_AT: Readonly<Record<number, number>> = { 113: 14, 276: 0 }
/** More link types than exist in one run; beyond it the last ones are compiled again and again, not kept. */
const LINK_TYPES_MAX = 64

/** Compiles the operator's expression for a LINKTYPE_; undefined where the expression makes no sense there. */
export type CompileForLinkType = (linkType: number) => readonly BpfInstruction[] | undefined

const never: BpfFunction = () => false

/**
 * The operator's expression as a `PacketFilter`, compiled for each link type when the first frame of it comes.
 * A VLAN tag is stepped over, as the kernel does for its filters, so `not host 10.0.0.1` means the same with a tag and without;
 * only an expression that speaks of tags itself (`vlan 5`) sees them.
 */
export function createPacketFilter(expression: string, compile: CompileForLinkType): PacketFilter {
  const seesTags = namesTags(expression)
  const functions = new Map<number, BpfFunction>()
  const functionFor = (linkType: number): BpfFunction => {
    const known = functions.get(linkType)
    if (known !== undefined) return known
    const program = compile(linkType)
    const made = program === undefined ? never : compileToFunction(program)
    if (functions.size < LINK_TYPES_MAX) functions.set(linkType, made)
    return made
  }
  const ipFunction = functionFor(RAW)
  let lastLinkType = RAW
  let lastFunction = ipFunction

  return {
    frame(linkType, bytes, at, captured, length) {
      if (linkType !== lastLinkType) {
        lastFunction = functionFor(linkType)
        lastLinkType = linkType
      }
      if (seesTags) return lastFunction(bytes, at, captured, length, 0)
      if (linkType === ETHERNET) return lastFunction(bytes, at, captured, length, tagsLength(bytes, at, captured))
      // Behind a cooked header a tagged packet is left to `ip`.
      const typeAt = COOKED_TYPE_AT[linkType]
      if (typeAt !== undefined && captured >= typeAt + 2 && isTagType(u16(bytes, at + typeAt))) return false
      return lastFunction(bytes, at, captured, length, 0)
    },
    ip(bytes, at, captured, length) {
      return ipFunction(bytes, at, captured, length, 0)
    },
  }
}

function tagsLength(bytes: Uint8Array, at: number, captured: number): number {
  let gap = 0
  while (captured >= TYPE_AT + gap + TAG_LENGTH + 2 && isTagType(u16(bytes, at + TYPE_AT + gap))) gap += TAG_LENGTH
  return gap
}
