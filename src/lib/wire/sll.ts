import { u16 } from '../base/bytes.js'
import { etherTypes, type Frame, notIp } from './frame.js'

/**
 * Linux cooked captures, made by `-i any`: LINKTYPE_LINUX_SLL has its EtherType at 14 of 16 bytes,
 * LINKTYPE_LINUX_SLL2 at 0 of 20.
 */
export function sll(frame: Frame): number {
  return cooked(frame, 14, 16)
}

export function sll2(frame: Frame): number {
  return cooked(frame, 0, 20)
}

function cooked(frame: Frame, typeAt: number, headerLength: number): number {
  const { bytes, at } = frame
  if (at + headerLength > frame.end) return notIp
  frame.at = at + headerLength
  return etherTypes + u16(bytes, at + typeAt)
}
