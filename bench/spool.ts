/**
 * What spooling costs: CPU of the whole process a packet (both threads, the kernel's part of the writing too), with and
 * without a spool, each run in a process of its own; how often files are written to.
 *
 *   npm run build && npx tsx bench/spool.ts FILE [DIR] [--sip-calls N]
 *
 * FILE is of bench/make-capture.ts. DIR is where the spool is written (default: beside FILE). Then N short calls of SIP only:
 * what a file costs.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { parseArgs } from 'node:util'
import { AddressBook } from '../dist/lib/base/address.js'
import type { PacketBatch } from '../dist/lib/base/packets.js'
import type { Micros } from '../dist/lib/base/units.js'
import { callLimits } from '../dist/lib/call/limits.js'
import type { CallHandle, MarkedPackets, PacketKind } from '../dist/lib/call/outputs.js'
import { CallTracker } from '../dist/lib/call/tracker.js'
import { openFiles } from '../dist/lib/capture/file-source.js'
import { noLimits } from '../dist/lib/spool/limits.js'
import { openSpool, type SpoolOptions } from '../dist/lib/spool/spool.js'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { 'sip-calls': { type: 'string', default: '100000' }, child: { type: 'string' } },
})
const [file, dir = dirname(file ?? '.')] = positionals

const variants: Readonly<Record<string, Partial<SpoolOptions> | undefined>> = {
  'no spool': undefined,
  spool: {},
  'spool within 64 MiB': { limits: { ...noLimits, bytes: 64 << 20 } },
  'headers only': { save: 'rtp-headers' },
  'payload zeroed, digits masked': { save: 'rtp-zeroed', maskDtmf: true },
  'layout voipmonitor': { layout: 'voipmonitor' },
  lz4: { compression: 'lz4' },
  gzip: { compression: 'gzip' },
}

interface Measured {
  readonly packets: number
  readonly cpuMicros: number
  readonly seconds: number
  readonly files: number
  readonly writes: number
  readonly mebibytes: number
  readonly lost: number
}

if (values.child !== undefined) {
  const measured = values.child === 'sip' ? await sipCalls(Number(values['sip-calls'])) : await replay(variants[values.child])
  console.log(JSON.stringify(measured))
} else {
  if (file === undefined) throw new Error('Say which capture: npx tsx bench/spool.ts FILE [DIR]')
  console.log(
    '| spool | CPU µs a packet | of which the spool | packets/s | files | writes/s | MiB | lost |\n|---|---|---|---|---|---|---|---|',
  )
  let bare = 0
  for (const name of Object.keys(variants)) {
    const m = child(name)
    const each = m.cpuMicros / m.packets
    if (name === 'no spool') bare = each
    const { files, writes, seconds, mebibytes, lost, packets } = m
    console.log(
      `| ${name} | ${each.toFixed(2)} | ${(each - bare).toFixed(2)} | ${Math.round(packets / seconds).toLocaleString('en-US')} | ${files} | ${Math.round(writes / seconds)} | ${mebibytes} | ${lost} |`,
    )
  }
  const m = child('sip')
  console.log(
    `\n${m.files} calls of ${m.packets / m.files} SIP packets: ${Math.round(m.files / m.seconds)} files/s, ${(m.cpuMicros / m.files).toFixed(0)} µs of CPU a call`,
  )
}

function child(name: string): Measured {
  const args = [...process.execArgv, process.argv[1] as string, file as string, dir, '--child', name, '--sip-calls', values['sip-calls']]
  return JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' })) as Measured
}

async function measure(
  options: Partial<SpoolOptions> | undefined,
  run: (spool: Awaited<ReturnType<typeof openSpool>> | undefined) => Promise<number>,
): Promise<Measured> {
  const target = mkdtempSync(join(dir, 'spool-'))
  try {
    const spool = options && (await openSpool({ dir: target, save: 'rtp', canWait: true, onNotice: console.error, ...options }))
    const from = process.cpuUsage()
    const startedMs = performance.now()
    const packets = await run(spool)
    const stats = await spool?.close()
    const { user, system } = process.cpuUsage(from)
    return {
      packets,
      cpuMicros: user + system,
      seconds: (performance.now() - startedMs) / 1000,
      files: stats?.files ?? 0,
      writes: stats?.writes ?? 0,
      mebibytes: Math.round((stats?.bytes ?? 0) / 2 ** 20),
      lost: stats?.dropped.reduce((sum, [, n]) => sum + n, 0) ?? 0,
    }
  } finally {
    rmSync(target, { recursive: true })
  }
}

async function replay(options: Partial<SpoolOptions> | undefined): Promise<Measured> {
  return measure(options, async (spool) => {
    const tracker = new CallTracker(
      {
        limits: callLimits,
        fragments: { datagramsMax: 10_000, bytesMax: 64 << 20, timeoutSeconds: 30 },
        tcp: { flowsMax: 20_000, flowBytesMax: 512 << 10, idleSeconds: 600 },
        sipPorts: [],
        sensorId: undefined,
        filter: undefined,
      },
      new AddressBook(),
      {
        onRecord: (_, call) => spool?.ended(call),
        ...(spool && {
          onPacket: (call: CallHandle, batch: PacketBatch, index: number, kind: PacketKind, headersEnd: number) =>
            spool.packet(call, batch, index, kind, headersEnd),
          onMarked: (batch: PacketBatch, marked: MarkedPackets) => spool.marked(batch, marked),
        }),
      },
    )
    for await (const batch of (await openFiles([file as string])).batches(new AbortController().signal)) {
      tracker.accept(batch)
      spool?.settle(batch, tracker.now)
      batch.release()
      await spool?.drained()
    }
    tracker.finish('end of input')
    return tracker.totals.packets
  })
}

/** Calls of ten packets of 500 bytes, each over before the next begins. */
async function sipCalls(calls: number): Promise<Measured> {
  const each = 10
  const bytes = new Uint8Array(each * 500).fill(65)
  return measure({}, async (spool) => {
    for (let number = 0; number < calls; number++) {
      const started = 1.7e15 + number * 8640
      const batch: PacketBatch = {
        bytes,
        count: each,
        at: Uint32Array.from({ length: each }, (_, i) => i * 500),
        captured: new Uint32Array(each).fill(500),
        length: new Uint32Array(each).fill(500),
        micros: Float64Array.from({ length: each }, (_, i) => started + i * 800),
        nanos: undefined,
        linkType: 1,
        until: (started + 8000) as Micros,
        release: () => {},
      }
      const call: CallHandle = { number, callId: `${number}-bench@192.0.2.1`, started: started as Micros, tag: -1 }
      for (let i = 0; i < each; i++) spool?.packet(call, batch, i, 'sip', (i + 1) * 500)
      spool?.settle(batch, batch.until)
      spool?.ended(call)
      if (number % 100 === 0) await spool?.drained()
    }
    return calls * each
  })
}
