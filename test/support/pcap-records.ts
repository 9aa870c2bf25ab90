import { readFileSync } from 'node:fs'

/** The frames of a classic pcap as hex, read here and not with the code under test. */
export function framesOf(path: string): string[] {
  const pcap = readFileSync(path)
  const frames: string[] = []
  for (let at = 24; at + 16 <= pcap.length; ) {
    const length = pcap.readUInt32LE(at + 8)
    frames.push(pcap.subarray(at + 16, at + 16 + length).toString('hex'))
    at += 16 + length
  }
  return frames
}
