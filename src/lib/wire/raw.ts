import { etherTypes, type Frame, notIp } from './frame.js'

/** Link types without a link header worth the name: the IP version nibble says what follows. */
export function raw(frame: Frame): number {
  if (frame.at >= frame.end) return notIp
  const version = (frame.bytes[frame.at] as number) >> 4
  return version === 4 ? etherTypes + 0x0800 : version === 6 ? etherTypes + 0x86dd : notIp
}

/** LINKTYPE_NULL and LINKTYPE_LOOP: four bytes of address family in either byte order, whose numbers differ by system; the nibble does not. */
export function loopback(frame: Frame): number {
  frame.at += 4
  return raw(frame)
}
