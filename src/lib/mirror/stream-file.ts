import { createReadStream } from 'node:fs'
import { Counters } from '../base/counters.js'
import { OperatorError } from '../base/errors.js'
import type { BatchOrigin, PacketBatch, PacketSource, StopSignal } from '../base/packets.js'
import { blockFill, blockInterface, numberBlock, type PackedBlock, readBlockHead, unpackBlock } from './block.js'
import {
  FrameReader,
  type FrameType,
  frameHeaderLength,
  type Hello,
  preamble,
  protocolVersion,
  readMessage,
  writeFrameHeader,
  writeMessage,
} from './protocol.js'

/**
 * The mirror's stream without a connection: preamble, hello, blocks. A sender writes it to a pipe or a file (`--write-format mirror`),
 * a receiver reads it (`-r`): through ssh, say, where no port may be opened.
 */
export function streamBeginning(hello: Pick<Hello, 'sensorId' | 'name' | 'stream' | 'software' | 'compressions'>): Uint8Array {
  const message = writeMessage('hello', { ...hello, versions: [protocolVersion] })
  const bytes = new Uint8Array(preamble.length + message.length)
  bytes.set(preamble)
  bytes.set(message, preamble.length)
  return bytes
}

export function streamBlock(block: PackedBlock, number: number): Uint8Array {
  numberBlock(block.bytes, number)
  const frame = new Uint8Array(frameHeaderLength + block.bytes.length)
  writeFrameHeader(frame, 'block', block.bytes.length)
  frame.set(block.bytes, frameHeaderLength)
  return frame
}

/** Reads such a stream; `-` is standard input. */
export class MirrorStreamSource implements PacketSource {
  readonly live = false
  readonly oddities = new Counters()
  readonly #path: string
  readonly #sensorId: number | undefined
  #bytes = 0

  /** `sensorId` is put into all records instead of the sender's. */
  constructor(path: string, sensorId: number | undefined) {
    this.#path = path
    this.#sensorId = sensorId
  }

  progress() {
    return { bytes: this.#bytes, total: undefined }
  }

  async *batches(signal: StopSignal): AsyncGenerator<PacketBatch, void, void> {
    const input = this.#path === '-' ? process.stdin : createReadStream(this.#path, { highWaterMark: 1 << 20 })
    const stop = (): void => void input.destroy()
    signal.addEventListener('abort', stop, { once: true })
    let hello: Hello | undefined
    let origin: BatchOrigin | undefined
    const reader = new FrameReader((type) => (hello === undefined ? type === 'hello' : type === 'block'))
    let frames: [FrameType, Uint8Array][] = []
    let begun = 0
    try {
      for await (const piece of input) {
        let chunk = piece as Uint8Array
        this.#bytes += chunk.length
        while (begun < preamble.length && chunk.length > 0) {
          if (chunk[0] !== preamble[begun++]) throw this.#broken('it does not begin like one')
          chunk = chunk.subarray(1)
        }
        const reason = reader.push(chunk, (type, payload) => {
          if (type === 'hello') {
            const message = readMessage('hello', payload)
            if (typeof message === 'string') return message
            hello = message
            origin = { sensorId: this.#sensorId ?? (message.sensorId > 0 ? message.sensorId : undefined), name: message.name }
          } else frames.push([type, payload])
          return undefined
        })
        for (const [, payload] of frames) yield* this.#block(payload, origin)
        frames = []
        if (reason !== undefined) throw this.#broken(reason)
      }
    } catch (error) {
      if (signal.aborted) return
      if (error instanceof OperatorError) throw error
      throw this.#broken((error as Error).message)
    } finally {
      signal.removeEventListener('abort', stop)
    }
  }

  *#block(bytes: Uint8Array, origin: BatchOrigin | undefined): Generator<PacketBatch> {
    const head = readBlockHead(bytes)
    if (typeof head === 'string') {
      this.oddities.add(head)
      return
    }
    const fill = blockFill(head.packets)
    const reason = unpackBlock(bytes, new Uint8Array(head.plainLength), 0, fill)
    if (reason !== undefined) {
      this.oddities.add(reason)
      return
    }
    const { at, captured, length, micros, nanos, linkType, until, count } = fill
    const interfaceName = blockInterface(bytes)
    yield { bytes: fill.bytes, at, captured, length, micros, nanos, linkType, until, count, interfaceName, origin, release: () => {} }
  }

  #broken(reason: string): OperatorError {
    return new OperatorError('MIRROR_STREAM', `"${this.#path}" is not a mirror stream: ${reason}.`, {
      suggestions: [
        'Such a stream is made by: earshot mirror-send … -w FILE --write-format mirror',
        'A capture file is read by: earshot sniff -r FILE',
      ],
    })
  }
}
