import { mkdtempSync, rmSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A socket before a database server: each packet of a client may be changed, or held until something else has happened. */
export interface MysqlProxy {
  readonly socket: string
  dispose(): Promise<void>
}

/** Of a packet of a client, its head of 4 bytes and its body; `first`: the answer to the greeting. */
export type OnPacket = (packet: Buffer, first: boolean) => void | Promise<void>

export async function startMysqlProxy(target: string, onPacket: OnPacket): Promise<MysqlProxy> {
  const dir = mkdtempSync(join(tmpdir(), 'earshot-proxy-'))
  const socket = join(dir, 's')
  const open = new Set<Socket>()
  const proxy = createServer((client) => {
    const server = connect(target)
    for (const [one, other] of [
      [client, server],
      [server, client],
    ] as const) {
      open.add(one)
      one.on('error', () => {})
      one.on('close', () => {
        open.delete(one)
        other.destroy()
      })
    }
    server.pipe(client)
    void forward(client, server, onPacket).catch(() => client.destroy())
  })
  await new Promise<void>((resolve) => proxy.listen(socket, resolve))
  return {
    socket,
    async dispose() {
      for (const one of open) one.destroy()
      await new Promise((resolve) => proxy.close(resolve))
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

async function forward(client: Socket, server: Socket, onPacket: OnPacket): Promise<void> {
  let waiting = Buffer.alloc(0)
  let first = true
  for await (const chunk of client) {
    waiting = Buffer.concat([waiting, chunk as Buffer])
    while (waiting.length >= 4 && waiting.length >= 4 + waiting.readUIntLE(0, 3)) {
      const packet = waiting.subarray(0, 4 + waiting.readUIntLE(0, 3))
      waiting = waiting.subarray(packet.length)
      await onPacket(packet, first)
      first = false
      server.write(packet)
    }
  }
  server.end()
}

/** The statement that a packet asks for as text. */
export const statementOf = (packet: Buffer): string => (packet[4] === COM_QUERY ? packet.toString('utf8', 5) : '')

const COM_QUERY = 3
