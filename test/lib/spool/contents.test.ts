import { execFileSync, execSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { callFiles } from '../../../src/lib/spool/find.js'
import { openSpool, type SpoolOptions } from '../../../src/lib/spool/index.js'
import { packetsOf } from '../../../src/lib/spool/packets.js'
import { text } from '../../support/frames.js'
import { batchOf, datagram, type Packet, rtpBytes, segment, sip, sipText, talk } from '../../support/ladder.js'
import { callHandle, give, spoolCalls } from '../../support/spool.js'

// What is in the files, as other programs read it, and as our own readers give it back.

const dir = mkdtempSync(join(tmpdir(), 'earshot-contents-'))
afterAll(() => rmSync(dir, { recursive: true }))
let dirs = 0
const fresh = (): string => {
  const path = join(dir, `s${dirs++}`)
  mkdirSync(path)
  return path
}

const A = '10.0.0.1:5060'
const B = '10.0.0.2:5060'
const MEDIA_A = '10.0.0.1:4000'
const MEDIA_B = '10.0.0.2:6000'
const packets: readonly Packet[] = [sip(0, A, B, 'INVITE'), ...talk(1, MEDIA_A, MEDIA_B, 100), sip(4, A, B, 'BYE')]

async function one(
  options: Partial<SpoolOptions> = {},
  what: readonly Packet[] = packets,
): Promise<{ path: string; full: string; spool: string }> {
  const spool = fresh()
  const [path] = await spoolCalls(spool, [{ callId: 'call-1', packets: what }], options)
  return { path: path as string, full: join(spool, path as string), spool }
}

async function fetched(spool: string, path: string, options = {}): Promise<Buffer> {
  const pieces: Uint8Array[] = []
  for await (const piece of packetsOf(callFiles(spool, path), options)) pieces.push(piece)
  return Buffer.concat(pieces)
}

/** Rows of fields, as tshark reads a file. */
function tshark(file: string | Buffer, fields: readonly string[], ...more: string[]): string[][] {
  const name = typeof file === 'string' ? file : join(dir, `fetched-${dirs++}`)
  if (typeof file !== 'string') writeFileSync(name, file)
  const args = ['-r', name, '-T', 'fields', ...fields.flatMap((f) => ['-e', f]), ...more]
  const out = execFileSync('tshark', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
  return out
    .split('\n')
    .slice(0, -1)
    .map((line) => line.split('\t'))
}

/** Times of the packets of a pcap, by a reader that is quicker to start. */
const times = (pcap: Buffer): string[] =>
  execFileSync('tcpdump', ['-nn', '-tt', '-q', '-r', '-'], { input: pcap, encoding: 'utf8', stdio: ['pipe', 'pipe', 'ignore'] })
    .split('\n')
    .flatMap((line) => /^\d+\.\d+/.exec(line)?.[0] ?? [])

describe('compression', () => {
  const plain = one()

  test.each([
    ['gzip', '.gz', 'zcat'],
    ['lz4', '.lz4', 'lz4 -dc'],
  ] as const)('%s: other programs unpack it to the very pcap', async (compression, suffix, program) => {
    const { full, path, spool } = await one({ compression })
    expect(path).toBe(`2023-11-14/22/13/call-1.pcap${suffix}`)
    const original = readFileSync((await plain).full)
    expect(execSync(`${program} ${full}`, { maxBuffer: 1 << 24 }).equals(original)).toBe(true)
    expect(readFileSync(full).length).toBeLessThan(original.length / 2)
    expect((await fetched(spool, path)).equals(original)).toBe(true)
  })

  test('gzip opens in Wireshark as it is', async () => {
    expect(tshark((await one({ compression: 'gzip' })).full, ['frame.number'])).toHaveLength(102)
  })

  test.each(['gzip', 'lz4'] as const)('%s: while the call runs, every write is whole', async (compression) => {
    const spool = fresh()
    const writer = await openSpool({ dir: spool, save: 'rtp', canWait: true, compression, onNotice: () => {} })
    const call = callHandle('runs', 1.7e15)
    const batch = batchOf(talk(0, MEDIA_A, MEDIA_B, 500))
    give(writer, call, batch)
    writer.settle(batch, batch.until)
    const path = writer.pathOf(call) as string
    await expect.poll(() => existsSync(join(spool, path)), { timeout: 5000 }).toBe(true)
    const seen = await fetched(spool, path)
    expect(times(seen).length).toBeGreaterThan(300)
    await writer.close()
    expect(times(await fetched(spool, path))).toHaveLength(500)
  })

  test.each(['gzip', 'lz4'] as const)('%s: a packet that comes very late is put in order', async (compression) => {
    const spool = fresh()
    const writer = await openSpool({ dir: spool, save: 'rtp', canWait: true, compression, onNotice: () => {} })
    const call = callHandle('late', 1.7e15)
    for (const part of [talk(0, MEDIA_A, MEDIA_B, 500), [sip(0.5, A, B, 'INVITE')]]) {
      const batch = batchOf(part)
      give(writer, call, batch)
      writer.settle(batch, (1.7e15 + 10e6 + part.length) as never)
    }
    writer.ended(call)
    await writer.close()
    const seen = times(await fetched(spool, '2023-11-14/22/13/late.pcap'))
    expect(seen).toHaveLength(501)
    expect(seen).toEqual([...seen].sort())
  })
})

describe('the layout of VoIPmonitor', () => {
  test('SIP and RTP apart, under its names, and fetched as one in order of time', async () => {
    const { spool, path } = await one({ layout: 'voipmonitor' })
    expect(path).toBe('2023-11-14/22/13/SIP/call-1.pcap')
    const [signalling, media] = ['SIP', 'RTP'].map((kind) =>
      tshark(join(spool, `2023-11-14/22/13/${kind}/call-1.pcap`), ['udp.dstport']).flat(),
    )
    expect(new Set(signalling)).toEqual(new Set(['5060']))
    expect([signalling?.length, media?.length]).toEqual([2, 100])
    expect((await fetched(spool, path)).equals(readFileSync((await one()).full))).toBe(true)
  })

  test('names: what is not letter, digit or :-.@ becomes _, and no hash', async () => {
    const spool = fresh()
    const [path] = await spoolCalls(spool, [{ callId: 'a_b/c d@10.0.0.1;x', packets }], { layout: 'voipmonitor' })
    expect(path).toBe('2023-11-14/22/13/SIP/a_b_c_d@10.0.0.1_x.pcap')
  })

  test('gzip keeps the name', async () => {
    const { spool, path, full } = await one({ layout: 'voipmonitor', compression: 'gzip' })
    expect(readFileSync(full).subarray(0, 2)).toEqual(Buffer.from([0x1f, 0x8b]))
    expect((await fetched(spool, path)).equals(readFileSync((await one()).full))).toBe(true)
  })

  test('lz4 is refused, with what to do', async () =>
    expect(
      openSpool({ dir: fresh(), save: 'rtp', canWait: true, layout: 'voipmonitor', compression: 'lz4', onNotice: () => {} }),
    ).rejects.toMatchObject({
      exit: 2,
      suggestions: expect.arrayContaining([expect.stringMatching(/gzip/)]),
    }))
})

describe('all files of a call', () => {
  test('two link types come back as one pcapng', async () => {
    const spool = fresh()
    const writer = await openSpool({ dir: spool, save: 'rtp', canWait: true, onNotice: () => {} })
    const call = callHandle('both', 1.7e15)
    const cooked = talk(1, MEDIA_A, MEDIA_B, 5).map(({ at, frame }) => {
      const bytes = new Uint8Array(6 + frame.length)
      bytes.set([0x08, 0x00])
      bytes.set(frame.subarray(14), 20)
      return { at, frame: bytes }
    })
    for (const batch of [batchOf([sip(0, A, B, 'INVITE'), sip(3, A, B, 'BYE')]), batchOf(cooked, 276)]) {
      for (let i = 0; i < batch.count; i++) writer.packet(call, batch, i, batch.linkType === 1 ? 'sip' : 'rtp', 0)
      writer.settle(batch, batch.until)
    }
    const path = writer.pathOf(call) as string
    writer.ended(call)
    await writer.close()
    expect(callFiles(spool, path).map((file) => file.slice(spool.length + 1))).toEqual([
      '2023-11-14/22/13/both.pcap',
      '2023-11-14/22/13/both~linktype276.pcap',
    ])
    const rows = tshark(await fetched(spool, path), ['frame.interface_id', 'udp.dstport'])
    expect(rows.map(([number]) => number)).toEqual(['0', '1', '1', '1', '1', '1', '0'])
  })

  test('another call whose name begins alike is not among them', async () => {
    const spool = fresh()
    const calls = ['call-1', 'call-1.pcap', 'call-1.linktype276', 'call-10'].map((callId) => ({ callId, packets }))
    await spoolCalls(spool, calls)
    expect(callFiles(spool, '2023-11-14/22/13/call-1.pcap')).toEqual([join(spool, '2023-11-14/22/13/call-1.pcap')])
  })

  test('links are not followed: of a file, of a directory', async () => {
    const { spool, path, full } = await one()
    const outside = fresh()
    mkdirSync(join(outside, '13'))
    writeFileSync(join(outside, '13', 'call-1.pcap'), 'secret')
    rmSync(full)
    symlinkSync(join(outside, '13', 'call-1.pcap'), full)
    expect(callFiles(spool, path)).toEqual([])
    rmSync(join(spool, '2023-11-14/22'), { recursive: true })
    symlinkSync(outside, join(spool, '2023-11-14/22'))
    expect(() => callFiles(spool, path)).toThrow(/outside the spool/)
  })

  test('SIP only', async () => {
    for (const layout of ['earshot', 'voipmonitor'] as const) {
      const { spool, path } = await one({ layout })
      expect(tshark(await fetched(spool, path, { sipOnly: true }), ['sip.Method']).flat()).toEqual(['INVITE', 'BYE'])
    }
  })
})

describe('payload', () => {
  test('zeroed: everything is there but what was said', async () => {
    const { full } = await one({ save: 'rtp-zeroed' })
    const rows = tshark(full, ['frame.cap_len', 'frame.len', 'rtp.seq', 'rtp.payload'], '-d', 'udp.port==6000,rtp').filter(
      ([, , seq]) => seq !== '',
    )
    expect(rows).toHaveLength(100)
    for (const [captured, length, , payload] of rows) {
      expect(captured).toBe(length)
      expect(payload).toMatch(/^(00:?)+$/)
    }
    expect(tshark(full, ['sip.Method']).flat().filter(Boolean)).toEqual(['INVITE', 'BYE'])
  })
})

describe('dialled digits masked', () => {
  const event = (at: number, digit: number, seq: number, type = 101): Packet =>
    datagram(at, MEDIA_A, MEDIA_B, rtpBytes({ type, seq, ticks: 8000, payload: Uint8Array.of(digit, 0x0a, 0, 160) }))
  const info = (at: number, contentType: string, body: string): Packet =>
    sip(at, A, B, 'INFO', { cseq: '2 INFO', headers: [`Content-Type: ${contentType}`], body })

  /** UDP and TCP checksums made right first, as a phone's would be: tshark must find them right afterwards, too. */
  const CHECKED = ['-o', 'udp.check_checksum:TRUE', '-o', 'tcp.check_checksum:TRUE']

  test('RFC 4733: the event says nothing, the checksum neither', async () => {
    const { full } = await one({ maskDtmf: true }, [event(1, 5, 1), event(1.02, 5, 2), ...talk(2, MEDIA_A, MEDIA_B, 3)].map(withChecksum))
    const rows = tshark(
      full,
      ['rtpevent.event_id', 'udp.checksum.status', 'rtp.p_type'],
      '-d',
      'udp.port==6000,rtp',
      '-o',
      'rtpevent.event_payload_type_value:101',
      ...CHECKED,
    )
    expect(rows.slice(0, 2)).toEqual([
      ['255', '1', '101'],
      ['255', '1', '101'],
    ])
    expect(rows.slice(2).every(([, status]) => status === '1')).toBe(true)
  })

  test('audio is left alone, and so is a short packet of a static type', async () => {
    const what = [event(1, 5, 1, 8), ...talk(2, MEDIA_A, MEDIA_B, 3)]
    expect(readFileSync((await one({ maskDtmf: true }, what)).full).equals(readFileSync((await one({}, what)).full))).toBe(true)
  })

  test('SIP INFO', async () => {
    const bodies: [contentType: string, body: string, want: RegExp][] = [
      ['application/dtmf-relay', 'Signal=5\r\nDuration=160\r\n', /^Signal=X\r\nDuration=160/],
      ['application/dtmf-relay', 'Signal= 11\r\nDuration=160\r\n', /^Signal= XX\r/],
      ['application/dtmf', '5', /^X$/],
      ['application/dtmf', '#\r\n', /^X\r\n$/],
    ]
    const { full } = await one(
      { maskDtmf: true },
      bodies.map(([type, body], i) => withChecksum(info(i + 1, type, body))),
    )
    expect(
      readFileSync(full, 'latin1')
        .split(/INFO sip:/)
        .slice(1)
        .map((m) => m.split('\r\n\r\n')[1]?.slice(0, 30)),
    ).toEqual(bodies.map(([, , want]) => expect.stringMatching(new RegExp(want.source.replace('$', '')))))
    expect(tshark(full, ['udp.checksum.status'], ...CHECKED).flat()).toEqual(['1', '1', '1', '1'])
  })

  test('SIP INFO over TCP', async () => {
    const message = sipText('INFO', {
      cseq: '2 INFO',
      headers: ['Content-Type: application/dtmf-relay'],
      body: 'Signal=7\r\nDuration=100\r\n',
    })
    const { full } = await one({ maskDtmf: true }, [withChecksum(segment(1, A, B, 1000, text(message)))])
    expect(readFileSync(full, 'latin1')).toMatch(/Signal=X/)
    expect(tshark(full, ['tcp.checksum.status'], ...CHECKED).flat()).toEqual(['1'])
  })

  test('other bodies stay', async () => {
    const what = [sip(0, A, B, 'INVITE', { sdp: MEDIA_A }), info(1, 'text/plain', '5')]
    expect(readFileSync((await one({ maskDtmf: true }, what)).full).equals(readFileSync((await one({}, what)).full))).toBe(true)
  })
})

/** The checksum over the pseudo header (RFC 768, RFC 9293 3.1) put where it belongs, in an Ethernet frame with IPv4. */
function withChecksum(packet: Packet): Packet {
  const frame = packet.frame.slice()
  const view = new DataView(frame.buffer)
  const ip = 14
  const protocol = frame[ip + 9] as number
  const at = ip + 20
  const end = ip + view.getUint16(ip + 2)
  const checksumAt = at + (protocol === 6 ? 16 : 6)
  view.setUint16(checksumAt, 0)
  let sum = protocol + (end - at)
  for (let i = ip + 12; i < ip + 20; i += 2) sum += view.getUint16(i)
  for (let i = at; i < end; i += 2) sum += i + 1 < end ? view.getUint16(i) : (frame[i] as number) << 8
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  view.setUint16(checksumAt, ~sum & 0xffff || 0xffff)
  return { ...packet, frame }
}
