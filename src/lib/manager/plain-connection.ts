import type { Socket } from 'node:net'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { ManagerLimits } from './limits.js'
import { type PlainContext, plainCommand, unknownCommand } from './plain-commands.js'

/**
 * One command in VoIPmonitor's plain protocol: text in, bytes out, closed. A command is whole when it ends with CR LF CR LF, when
 * the client closes its side, or when nothing came for half a second.
 */
const SILENCE_MS = 500
const CR = 13
const LF = 10

export function plainConnection(
  socket: Socket,
  first: Uint8Array,
  context: PlainContext,
  limits: ManagerLimits,
  onAsked: () => void,
): void {
  const chunks: Uint8Array[] = []
  let bytes = 0
  let silence: NodeJS.Timeout | undefined
  const deadline = setTimeout(() => socket.destroy(), limits.requestMs)
  const go = (): void => {
    clearTimeout(silence)
    clearTimeout(deadline)
    socket.off('data', take)
    socket.off('end', go)
    // What still comes is of no interest, but the end of the connection is.
    socket.resume()
    onAsked()
    void answer(socket, Buffer.concat(chunks).toString('latin1'), context, limits)
  }
  const take = (chunk: Uint8Array): void => {
    bytes += chunk.length
    if (bytes > limits.plainRequestBytes) {
      socket.destroy()
      return
    }
    chunks.push(chunk)
    clearTimeout(silence)
    if (endsRequest(chunks)) go()
    else silence = setTimeout(go, SILENCE_MS)
  }
  socket.once('close', () => {
    clearTimeout(silence)
    clearTimeout(deadline)
  })
  socket.on('data', take)
  socket.on('end', go)
  take(first)
}

function endsRequest(chunks: readonly Uint8Array[]): boolean {
  let last = chunks.at(-1) as Uint8Array
  if (last.length < 4 && chunks.length > 1) last = Buffer.concat(chunks.slice(-4))
  const n = last.length
  return n >= 4 && last[n - 4] === CR && last[n - 3] === LF && last[n - 2] === CR && last[n - 1] === LF
}

async function answer(socket: Socket, request: string, context: PlainContext, limits: ManagerLimits): Promise<void> {
  const line = request.split(/[\r\n\0]/, 1)[0] as string
  const [word = '', ...words] = line.split(' ').filter((w) => w !== '')
  socket.setTimeout(limits.stallMs, () => socket.destroy())
  // Answered is answered: a client that then goes on sending does not keep its place.
  socket.once('finish', () => {
    const over = setTimeout(() => socket.destroy(), limits.requestMs)
    socket.once('close', () => clearTimeout(over))
  })
  try {
    const found = await plainCommand(word)?.answer(words, context, line)
    if (found === undefined || typeof found === 'string' || found instanceof Uint8Array) socket.end(found ?? unknownCommand)
    else await pipeline(Readable.from(found, { objectMode: false, highWaterMark: 256 * 1024 }), socket)
  } catch (error) {
    if (!socket.destroyed && socket.bytesWritten === 0) socket.end(`error: ${error instanceof Error ? error.message : 'failed'}\n`)
    else socket.destroy()
  }
}
