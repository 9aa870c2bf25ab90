/** Decides whether a packet counts: the operator's BPF expression, compiled for whole frames and for bare IP packets. */
export interface PacketFilter {
  /** A frame as it was captured, of this LINKTYPE_. */
  frame(linkType: number, bytes: Uint8Array, at: number, captured: number, length: number): boolean
  /** An IP packet found by decapsulation, behind a VLAN tag, or put together from fragments. */
  ip(bytes: Uint8Array, at: number, captured: number, length: number): boolean
}
