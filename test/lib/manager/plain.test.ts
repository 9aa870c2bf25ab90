import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync, inflateSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { plainCommands } from '../../../src/lib/manager/plain-commands.js'
import { batchOf, type Packet, sip, talk } from '../../support/ladder.js'
import { ask, type TestManager, testManager } from '../../support/manager.js'
import { pcapOf } from '../../support/pcap-file.js'

// Truth: a session with the real VoIPmonitor, the same call running (test/fixtures/README.md).
const session = JSON.parse(readFileSync(join(import.meta.dirname, '../../fixtures/voipmonitor-manager-session.json'), 'utf8')) as {
  request: string
  answer: string
}[]
const recorded = (request: string): string => session.find((s) => s.request === request)?.answer as string

const A = '10.0.0.1:5060'
const B = '10.0.0.2:5060'
const callId = 'test-clean-call-1@10.0.0.1'
const from = { from: '"Alice" <sip:1001@example.com>', to: '<sip:1002@example.com>', callId }
const call: Packet[] = [
  sip(0, A, B, 'INVITE', { ...from, sdp: '10.0.0.1:4000', headers: ['User-Agent: PhoneA/1.0'] }),
  sip(1, B, A, '180 Ringing', { ...from, toTag: 'b', headers: ['User-Agent: PhoneB/2.0'] }),
  sip(4, B, A, '200 OK', { ...from, toTag: 'b', sdp: '10.0.0.2:6000' }),
  ...talk(4.78, '10.0.0.1:4000', '10.0.0.2:6000', 512),
  ...talk(4.78, '10.0.0.2:6000', '10.0.0.1:4000', 512, { ssrc: 2 }),
]

let root: string
let spool: string
let m: TestManager
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'earshot-plain-'))
  spool = join(root, 'spool')
  mkdirSync(join(spool, '2026-11-23/04/37'), { recursive: true })
  mkdirSync(join(spool, '2026-11-24/00/00'), { recursive: true })
  writeFileSync(join(spool, `2026-11-23/04/37/${callId}.pcap`), pcapOf(batchOf(call)))
  writeFileSync(join(root, 'secret'), 'secret')
  symlinkSync(join(root, 'secret'), join(spool, 'link.pcap'))
  symlinkSync(root, join(spool, 'up'))
  execFileSync('mkfifo', [join(spool, 'pipe.pcap')])
  m = await testManager({ spool, sensorId: 3, pcapOf: (id) => `2026-11-23/04/37/${id}.pcap` })
  m.feed(call)
})
afterAll(async () => {
  await m.close()
  rmSync(root, { recursive: true, force: true })
})

describe('as VoIPmonitor answered, word for word', () => {
  test.each([
    'totalcalls',
    'listcalls {"limit":"0"}',
    'totalregisters',
    'sipports',
    'natalias',
    'getactivesniffers',
    'getfile_is_zip_support',
    'get_oldest_spooldir_date',
    'pcapstat',
    'exists_aes_key',
    'list_active_clients',
    'getfile ../../etc/passwd',
    'file_exists nosuch.pcap',
    'nosuchcommand',
    'reload',
    'printspool',
  ])('%s', async (request) => {
    // The recorded spool held a call of less than a megabyte, as this one does; its days were not counted yet: a line each, as below.
    const days = '2026-11-23 : 0 MB\n2026-11-24 : 0 MB\n'
    const want =
      request === 'printspool'
        ? recorded(request)
            .replace('MB\r\n\r\n', `MB\r\n\r\n${days}`)
            .replace(/rtpsize : 0|^0 MB|allsize : 0/g, (text) => text.replace('0', '\\d'))
        : recorded(request)
    if (request === 'printspool') expect(await m.plain(request)).toMatch(new RegExp(`^${want}$`))
    else expect(await m.plain(request)).toBe(want)
  })

  test('a missing file is named with its whole path', async () => {
    expect(await m.plain('getfile nosuch.pcap')).toBe(recorded('getfile nosuch.pcap').replace('/var/spool/voipmonitor', spool))
  })

  test.each([
    ['listcalls', 'listcalls'],
    ['with parameters', 'listcalls {"limit":"10","sort_field":"calldate","sort_dir":"desc"}'],
  ])('listcalls, %s: names, order, types and values', async (_, request) => {
    const own = await m.plain(request)
    const row = (text: string): RegExpExecArray => /\["(0x[0-9a-f]+)",("[^"]+"),"([-\d: ]+)",(\d+),(\d+)/.exec(text) as RegExpExecArray
    const [ours, theirs] = [row(own), row(recorded(request))]
    // Where and when it runs differ, and the MOS of a faultless G.711 stream: its scale ends at 4.5, G.107's at 4.41 (docs/quality.md).
    const want = recorded(request).replace(theirs[0], ours[0]).replaceAll('45,0,45', '44,0,45')
    expect(own).toBe(want)
    expect(Number(ours[5]) - Number(ours[4])).toBe(Number(theirs[5]) - Number(theirs[4]))
    expect(ours[3]).toBe(new Date(Number(ours[4]) * 1000).toISOString().slice(0, 19).replace('T', ' '))
  })

  test('sniffer_stat: the same names, JSON and plain', async () => {
    const names = (json: string): string[] => Object.keys(JSON.parse(json))
    expect(names(await m.plain('sniffer_stat'))).toEqual(names(recorded('sniffer_stat')))
    const words = (text: string): string[] =>
      text
        .trim()
        .split('\n')
        .map((line) => line.split('=')[0] as string)
    // What only VoIPmonitor has: its archives, its allocator.
    const theirs = words(recorded('sniffer_stat plain')).filter((name) => !['tarQ', 'tarB', 'fileB', 'TCM'].includes(name))
    const ours = await m.plain('sniffer_stat plain')
    // A sensor on a wire also says its packets a second and its CPU; the recorded one read a file.
    expect(words(ours).filter((name) => !['SQLq', 'PS', 't0CPU'].includes(name))).toEqual(theirs)
    expect(ours).toMatch(/^PS=C:\d+\/-0\(0\/0\) r:-\/- S:(\d+)\/\1 SR:- SM:- R:(\d+)\/\2 A:\d+$/m)
    expect(ours).toMatch(/^heap=u0\|t0$/m)
    expect(JSON.parse(await m.plain('sniffer_stat')).pbStatString).toMatch(
      /^calls\[1,r:0\]\[1,r:0\] PS\[C:.*\] heap\[u0\|t0\] \[.*Mb\/s\] .*t0CPU\[/,
    )
  })
})

describe('when a command is whole', () => {
  const timed = async (request: string): Promise<[string, number]> => {
    const start = performance.now()
    return [await ask(m.port, request), performance.now() - start]
  }
  test('CR LF CR LF is answered at once, anything else after half a second of silence', async () => {
    const [answer, quick] = await timed('totalcalls\r\n\r\n')
    const [late, slow] = await timed('totalcalls\n')
    expect([answer, late]).toEqual(['1', '1'])
    expect(slow).toBeGreaterThan(480)
    expect(quick).toBeLessThan(slow)
  })

  test('a client that closes its side has asked', async () => {
    const answer = await new Promise<string>((resolve) => {
      const socket = connect({ host: '127.0.0.1', port: m.port, allowHalfOpen: true })
      let text = ''
      socket.on('data', (chunk) => {
        text += chunk
      })
      socket.once('end', () => resolve(text))
      socket.end('totalcalls')
    })
    expect(answer).toBe('1')
  })

  test('a request in pieces', async () => {
    const answer = await new Promise<string>((resolve) => {
      const socket = connect({ host: '127.0.0.1', port: m.port })
      let text = ''
      socket.on('data', (chunk) => {
        text += chunk
      })
      socket.once('close', () => resolve(text))
      const pieces = ['total', 'calls\r', '\n', '\r', '\n']
      const next = (): void => {
        const piece = pieces.shift()
        if (piece === undefined) return
        socket.write(piece)
        setTimeout(next, 20)
      }
      next()
    })
    expect(answer).toBe('1')
  })

  test('a name that is only contained is found too, as there', async () => {
    expect(await m.plain('xtotalcallsx')).toBe('1')
  })
})

describe('files', () => {
  const path = `2026-11-23/04/37/${callId}.pcap`
  const whole = (): Buffer => readFileSync(join(spool, path))

  test('getfile: the bytes, and a line in the audit log', async () => {
    expect(Buffer.from(await m.plain(`getfile ${path}`), 'latin1').equals(whole())).toBe(true)
    expect(m.audited.at(-1)).toMatchObject({ request: 'getfile', path, bytes: whole().length, outcome: 'complete' })
  })

  test('getfile_zip', async () => {
    expect(gunzipSync(Buffer.from(await m.plain(`getfile_zip ${path}`), 'latin1')).equals(whole())).toBe(true)
  })

  const packets = (bytes: string): string[] => {
    const file = join(root, 'part.pcap')
    writeFileSync(file, Buffer.from(bytes, 'latin1'))
    return execFileSync('tshark', ['-r', file, '-T', 'fields', '-e', 'frame.time_epoch', '-e', 'udp.dstport'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    })
      .trim()
      .split('\n')
      .map((line) => line.split('\t')[1] as string)
  }

  test('as a GUI of VoIPmonitor composes the paths: SIP and RTP apart, in files and in archives of a minute', async () => {
    const sipOnly = packets(await m.plain(`getfile 2026-11-23/04/37/SIP/${callId}.pcap`))
    expect(sipOnly).toEqual(['5060', '5060', '5060'])
    const rtp = `getfile_in_tar 2026-11-23/04/37/RTP/rtp_2026-11-23-04-37.tar ${callId}.pcap 2026112304`
    expect(await m.plain('getfile_in_tar_check_complete 2026-11-23/04/37/RTP/rtp_2026-11-23-04-37.tar other.pcap 2026112304')).toBe(
      'uncomplete',
    )
    const media = packets(await m.plain(`${rtp} 17 cdr 0 0 1`))
    expect([media.length, new Set(media)]).toEqual([1024, new Set(['6000', '4000'])])
    expect(await m.plain(rtp.replace('getfile_in_tar', 'getfile_in_tar_check_complete'))).toBe('OK')
    const zipped = gunzipSync(Buffer.from(await m.plain(`${rtp.replace('getfile_in_tar', 'getfile_in_tar_zip')} 17 cdr 0`), 'latin1'))
    expect(packets(zipped.toString('latin1'))).toHaveLength(1024)
    expect(await m.plain('getfile_in_tar 2026-11-23/04/39/RTP/rtp_2026-11-23-04-39.tar x.pcap k')).toBe(
      'error: missing file [2026-11-23/04/39/RTP/rtp_2026-11-23-04-39.tar]',
    )
  })

  test.each([
    '../secret',
    'up/secret',
    'link.pcap',
    '2026-11-23/../../secret',
    '/etc/passwd',
    'pipe.pcap',
    'up/spool/2026-11-23/04/37/x',
    '.',
    '%00',
  ])('getfile %s gives nothing', async (evil) => {
    expect(await m.plain(`getfile ${evil}`)).toMatch(/^(access denied$|error: cannot open file)/)
    expect(m.audited.at(-1)).toMatchObject({ bytes: 0 })
  })

  test('file_exists and fileexists know the spool, nothing else', async () => {
    const size = String(whole().length)
    expect(await m.plain(`file_exists ${path}`)).toBe(size)
    expect(await m.plain(`file_exists ${path}|nosuch|x`)).toBe(`ok\n${path}:${size}`)
    expect(await m.plain('file_exists link.pcap')).toBe('permission_denied')
    expect(await m.plain(`fileexists ${join(spool, path)}`)).toBe(size)
    expect(await m.plain('fileexists /etc/passwd')).toBe('0')
    expect(await m.plain(`fileexists ${join(spool, '../secret')}`)).toBe('0')
  })
})

interface CallInfo {
  readonly call: object
  readonly sip_packets: readonly object[]
  readonly rtp_streams: readonly object[]
}
/** Names in their order, and the type of each value. */
const shapeOf = (thing: object): [name: string, type: string][] =>
  Object.entries(thing).map(([name, value]) => [name, value === null ? 'null' : typeof value])

test('active_call_info: the call, its SIP messages from the pcap, its streams', async () => {
  // As the real program answered for the same call (test/fixtures/README.md).
  const theirs = JSON.parse(readFileSync(join(import.meta.dirname, '../../fixtures/voipmonitor-active-call-info.json'), 'utf8')) as CallInfo
  const reference = /"(0x[0-9a-f]+)"/.exec(await m.plain('listcalls'))?.[1] as string
  const decimal = await m.plain(`active_call_info ${BigInt(reference)}`)
  const answers = [
    decimal,
    await m.plain(`active_call_info ${reference}`),
    await m.plain(`active_call_info {"callreference":"${reference}"}`),
  ]
  for (const answer of answers) {
    const info = JSON.parse(answer) as CallInfo
    expect(shapeOf(info.call)).toEqual(shapeOf(theirs.call))
    expect(info.sip_packets.map(shapeOf)).toEqual(info.sip_packets.map(() => shapeOf(theirs.sip_packets[0]!)))
    expect(info.rtp_streams.map(shapeOf)).toEqual(info.rtp_streams.map(() => shapeOf(theirs.rtp_streams[0]!)))
    const [columns, row] = JSON.parse(await m.plain('listcalls')) as [string[], unknown[]]
    const running = ['duration', 'connect_duration', 'src_mosf1', 'dst_mosf1']
    expect(Object.entries(info.call).filter(([name]) => !running.includes(name))).toEqual(
      columns.map((name, i) => [name, row[i]]).filter(([name]) => !running.includes(name as string)),
    )
    expect(info.sip_packets).toEqual(
      [
        ['10.0.0.1', '10.0.0.2', 'INVITE sip:bob@example.net SIP/2.0', 0],
        ['10.0.0.2', '10.0.0.1', 'SIP/2.0 180 Ringing', 1],
        ['10.0.0.2', '10.0.0.1', 'SIP/2.0 200 OK', 4],
      ].map(([src_ip, dst_ip, sip, seconds]) => ({
        time: 1_700_000_000_000_000 + Number(seconds) * 1e6,
        src_ip,
        src_port: '5060',
        dst_ip,
        dst_port: '5060',
        sip,
        sip_len: expect.any(Number),
        packet_len: expect.any(Number),
        cseq_m: 1,
        cseq_n: 1,
      })),
    )
    expect(info.rtp_streams).toEqual([
      {
        src_ip: '10.0.0.1',
        src_port: '4000',
        dst_ip: '10.0.0.2',
        dst_port: '6000',
        time: 1_700_000_004_780_000,
        time_last: 1_700_000_015_000_000,
        ssrc: expect.any(Number),
        codec: 8,
        received: 512,
        lost: 0,
        jitter_avg: 0,
        jitter_max: 0,
      },
      expect.objectContaining({ src_ip: '10.0.0.2', src_port: '6000', received: 512 }),
    ])
    expect(answer).toContain('SIP\\/2.0 200 OK')
  }
  for (const unknown of ['0x1', 'nonsense', '{"callreference":"1"}', ''])
    expect(await m.plain(`active_call_info ${unknown}`)).toBe('call not found')
})

test('callreference: of two services of systemd, whose names have no process in them', async () => {
  const services = await Promise.all(['sniff@eth1', 'sniff@eth2'].map((name) => testManager({ name })))
  try {
    const references: string[] = []
    for (const service of services) {
      service.feed(call)
      const reference = /"(0x[0-9a-f]+)"/.exec(await service.plain('listcalls'))?.[1] as string
      expect(JSON.parse(await service.plain(`active_call_info ${reference}`))).toMatchObject({
        call: { callreference: reference, callid: callId },
      })
      references.push(reference)
    }
    expect(new Set(references).size).toBe(2)
  } finally {
    await Promise.all(services.map((service) => service.close()))
  }
})

test('live sniffers: started, told, stopped', async () => {
  await m.plain('startlivesniffer {"uid":17,"filter_ip":"10.0.0.1","timeout":600}')
  expect(await m.plain('getactivesniffers')).toBe('[{"uid": "17","state":"active"}]')
  expect(await m.plain('getlivesniffer 17')).toBe('1 {"uid":17,"filter_ip":"10.0.0.1","timeout":600,"timeout":600,"time":0}')
  expect(JSON.parse(await m.plain('sniffer_stat'))).toMatchObject({ count_live_sniffers: '1' })
  await m.plain('stoplivesniffer 17')
  expect(await m.plain('getlivesniffer 17')).toBe('0')
  await m.plain('startlivesniffer nonsense')
  expect(await m.plain('getactivesniffers')).toBe('[]')
})

test('creategraph: a PNG that others read', async () => {
  const png = Buffer.from(await m.plain('creategraph calls now-1h now 400 200'), 'latin1')
  expect(png.subarray(1, 4).toString()).toBe('PNG')
  expect([png.readUInt32BE(16), png.readUInt32BE(20)]).toEqual([400, 200])
  // `file` checks the header; the pixels are inflated here and must fill the picture.
  expect(execFileSync('python3', ['-c', PNG_CHECK], { input: png, encoding: 'utf8' }).trim()).toBe('400 200 80200')
  expect(inflateSync(png.subarray(png.indexOf('IDAT') + 4)).length).toBe(200 * 401)
  expect(await m.plain('creategraph')).toMatch(/^Syntax/)
  expect(await m.plain('creategraph toString 0 1 10 10')).toMatch(/^error: unknown graph/)
  expect(Buffer.from(await m.plain('creategraph PS now-1h now 99999999 1'), 'latin1').readUInt32BE(16)).toBe(4096)
})

/** An independent reader: every chunk's CRC, and the size of the inflated picture. */
const PNG_CHECK = `
import sys, zlib, struct
d = sys.stdin.buffer.read(); at = 8; idat = b''; size = None
while at < len(d):
    n, = struct.unpack('>I', d[at:at+4]); kind = d[at+4:at+8]; body = d[at+8:at+8+n]
    assert zlib.crc32(kind + body) == struct.unpack('>I', d[at+8+n:at+12+n])[0]
    if kind == b'IHDR': size = struct.unpack('>II', body[:8])
    if kind == b'IDAT': idat += body
    at += 12 + n
print(size[0], size[1], len(zlib.decompress(idat)))
`

test('every command answers something, and none of VoIPmonitor’s dangerous ones is there', async () => {
  for (const name of Object.keys(plainCommands)) await m.plain(name)
  for (const name of [
    'upgrade',
    'restart',
    'memcrash_test_1',
    'terminating',
    'blockprocesspacket',
    'hot_restart',
    'd_close_call 1',
    'get_sensor_information configuration_file /etc/passwd',
  ])
    expect(await m.plain(name)).toBe('command not found\n')
})
