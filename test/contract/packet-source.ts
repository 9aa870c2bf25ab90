import assert from 'node:assert/strict'
import type { PacketBatch, PacketSource } from '../../src/lib/base/packets.js'

/**
 * What every PacketSource promises, whatever is behind it. Plain assertions, so that it also runs in a process of its own
 * inside a network namespace (test/support/source-contract-child.ts).
 */
export interface ContractSubject {
  /** A new source; it will give `frames`, once each, in this order. */
  open(): Promise<PacketSource>
  /** Makes the packets of a live source come; called once it is being read. */
  send(): Promise<void>
  readonly frames: readonly Uint8Array[]
  readonly live: boolean
}

export const packetSourceContract: Readonly<Record<string, (subject: ContractSubject) => Promise<void>>> = {
  'gives every frame once, as it was, in order': async (subject) => {
    const seen: string[] = []
    await read(subject, (batch) => {
      for (let i = 0; i < batch.count; i++) seen.push(hex(frameOf(batch, i)))
    })
    assert.deepEqual(seen, subject.frames.map(hex))
  },

  'a batch is whole in itself: offsets lie in its bytes, lengths on the wire are no smaller, times are whole microseconds': async (
    subject,
  ) => {
    await read(subject, (batch) => {
      assert(batch.count <= batch.at.length && batch.count <= batch.micros.length)
      for (let i = 0; i < batch.count; i++) {
        assert(batch.at[i]! + batch.captured[i]! <= batch.bytes.length)
        assert(batch.length[i]! >= batch.captured[i]!)
        assert(Number.isInteger(batch.micros[i]))
        if (batch.nanos !== undefined) assert(batch.nanos[i]! < 1000)
      }
    })
  },

  'time moves on: `until` is not before the last packet, and never goes back': async (subject) => {
    let before = 0
    await read(subject, (batch) => {
      assert(batch.until >= before)
      if (batch.count > 0) assert(batch.until >= batch.micros[batch.count - 1]!)
      before = batch.until
    })
  },

  'a batch released twice harms nobody': async (subject) => {
    let packets = 0
    await read(subject, (batch) => {
      packets += batch.count
      batch.release()
    })
    assert.equal(packets, subject.frames.length)
  },

  'says whether it is live, how far it is, and what the kernel counted': async (subject) => {
    const source = await read(subject, () => {})
    assert.equal(source.live, subject.live)
    const { bytes, total } = source.progress()
    // Of a file, how much of it was read (compressed, where it is); of an interface, what came.
    assert.equal(total === undefined, subject.live)
    assert.equal(bytes, total ?? subject.frames.reduce((sum, frame) => sum + frame.length, 0))
    assert.deepEqual(source.kernel?.(), subject.live ? { received: subject.frames.length, dropped: 0 } : undefined)
    assert.deepEqual(source.oddities.entries(), [])
  },

  'stops soon when it is told to, before the first batch and between two': async (subject) => {
    const told = new AbortController()
    told.abort()
    for await (const batch of (await subject.open()).batches(told.signal)) batch.release()
    const later = new AbortController()
    const source = await subject.open()
    setTimeout(() => later.abort(), 50)
    const sending = subject.send()
    for await (const batch of source.batches(later.signal)) batch.release()
    await sending
  },
}

/** Reads until all frames have come (or, of a file, until its end), each batch released after the look at it. */
async function read(subject: ContractSubject, look: (batch: PacketBatch) => void): Promise<PacketSource> {
  const source = await subject.open()
  const stop = new AbortController()
  let packets = 0
  // A source that gives less than it should must not hang the test.
  const patience = setTimeout(() => stop.abort(), 10_000)
  const sending = subject.send()
  for await (const batch of source.batches(stop.signal)) {
    packets += batch.count
    look(batch)
    batch.release()
    if (subject.live && packets >= subject.frames.length) stop.abort()
  }
  clearTimeout(patience)
  await sending
  return source
}

const frameOf = (batch: PacketBatch, i: number): Uint8Array => batch.bytes.subarray(batch.at[i]!, batch.at[i]! + batch.captured[i]!)
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
