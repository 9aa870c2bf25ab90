import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { openLive } from '../../src/lib/capture/live-source.js'
import { packetSourceContract } from '../contract/packet-source.js'

/** Runs the contract of packet sources over a live one, inside the namespace this is started in: `from` and `to` are the ends of a veth pair. Prints a JSON line for each promise. */
const { from, to, file, frames } = JSON.parse(process.argv[2] as string) as { from: string; to: string; file: string; frames: string[] }
const run = promisify(execFile)

for (const [name, check] of Object.entries(packetSourceContract)) {
  let failure: string | undefined
  try {
    await check({
      live: true,
      frames: frames.map((text) => Uint8Array.from(Buffer.from(text, 'hex'))),
      open: async () => openLive({ interfaces: [to], ringBytes: 8 << 20, snaplenBytes: 262_144, promiscuous: true }),
      send: async () => void (await run('tcpreplay', ['-q', '--topspeed', '-i', from, file])),
    })
  } catch (error) {
    failure = (error as Error).message
  }
  process.stdout.write(`${JSON.stringify({ name, failure })}\n`)
}
