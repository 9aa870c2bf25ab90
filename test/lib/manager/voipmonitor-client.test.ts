import { once } from 'node:events'
import { createServer, type Server } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import type { Micros } from '../../../src/lib/base/units.js'
import { fetchFromVoipmonitor } from '../../../src/lib/manager/index.js'

// A manager that answers as VoIPmonitor 2026.04 was seen to, with archives of a minute that several calls share: an archive is read from
// its beginning unless positions are named ("x" names none), a position gives what lies there, of that name or not, and the record's
// positions are those of one archive, which has no number.

interface Archives {
  readonly [path: string]: { readonly [member: string]: string }
}

const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) server.close()
})

async function sensor(archives: Archives, o: { offsetSeconds?: number; says?: string } = {}): Promise<{ port: number; asked: string[] }> {
  const asked: string[] = []
  const whole = new Set<string>()
  const answer = (line: string): string => {
    const [command, ...words] = line.split(' ')
    switch (command) {
      case 'sql_time_information':
        return `Europe/Prague,${o.offsetSeconds ?? 0},2023-11-14 23:13:20`
      case 'file_exists': {
        if (o.says !== undefined) return o.says
        const found = (words[0] as string)
          .split('|')
          .filter((path) => path in archives)
          .map((path) => [path, ...[1, 2, 3].map((n) => `${path}.${n}`).filter((more) => more in archives)].map((p) => `${p}:1`).join(';'))
        return found.length === 0 ? 'not_exists' : `ok\n${found.join('\n')}`
      }
      case 'getfile_in_tar': {
        const [tar, member, key, record, , positions, , , end = ''] = words as [string, string, string, ...string[]]
        whole.add(`${tar} ${member} ${key}`)
        const members = archives[tar] ?? {}
        const first = Object.keys(members)[0]
        const named = positions === 'x' ? record !== '0' && /\.\d$/.test(tar) : true
        return (named && first !== member ? '' : (members[member] ?? '')) + end
      }
      case 'getfile_in_tar_check_complete':
        return whole.has(words.join(' ')) ? 'OK' : 'uncomplete'
      default:
        return 'command not found\n'
    }
  }
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.on('data', (chunk) => {
      const line = chunk.toString('latin1').trimEnd()
      asked.push(line)
      socket.end(answer(line))
    })
  })
  servers.push(server)
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return { port: (server.address() as { port: number }).port, asked }
}

async function fetch(port: number, callId: string, id: number | null = 4711): Promise<Record<string, string>> {
  const got: Record<string, string> = {}
  const came = await fetchFromVoipmonitor(
    { host: '127.0.0.1', port },
    { callId, started: 1_700_000_000e6 as Micros, id },
    ['SIP', 'RTP'],
    (kind) => ({
      write: async (bytes) => {
        got[kind] = (got[kind] ?? '') + Buffer.from(bytes).toString('latin1')
      },
    }),
    () => {},
  )
  return Object.fromEntries(came.map((kind) => [kind, got[kind] as string]))
}

const SIP = '2023-11-14/22/13/SIP/sip_2023-11-14-22-13.tar.zst'
const RTP = '2023-11-14/22/13/RTP/rtp_2023-11-14-22-13.tar'

test('a call that is not the first in its archives', async () => {
  const { port } = await sensor({
    [SIP]: { 'a.pcap': 'sip of a', 'b_c.pcap': 'sip of b' },
    [RTP]: { 'a.pcap': 'rtp of a', 'b_c.pcap': 'rtp of b' },
  })
  expect(await fetch(port, 'b/c')).toEqual({ SIP: 'sip of b', RTP: 'rtp of b' })
  expect(await fetch(port, 'a', null)).toEqual({ SIP: 'sip of a', RTP: 'rtp of a' })
})

test('archives that were continued after a restart of the sensor', async () => {
  const { port } = await sensor({
    [SIP]: { 'a.pcap': 'sip of a' },
    [`${SIP}.1`]: { 'c.pcap': 'sip of c', 'b.pcap': 'sip of b' },
    [RTP]: { 'a.pcap': 'rtp of a' },
    [`${RTP}.1`]: { 'c.pcap': 'rtp of c' },
    [`${RTP}.2`]: { 'd.pcap': 'rtp of d', 'b.pcap': 'rtp of b' },
  })
  expect(await fetch(port, 'b')).toEqual({ 'SIP.1': 'sip of b', 'RTP.2': 'rtp of b' })
  expect(await fetch(port, 'a')).toEqual({ SIP: 'sip of a', RTP: 'rtp of a' })
})

test('a sensor whose clock shows local time names its directories so', async () => {
  const local = '2023-11-14/23/13/SIP/sip_2023-11-14-23-13.tar.zst'
  const { port, asked } = await sensor({ [local]: { 'a.pcap': 'sip of a' } }, { offsetSeconds: 3600 })
  expect(await fetch(port, 'a')).toEqual({ SIP: 'sip of a' })
  expect(asked).toContain(`getfile_in_tar ${local} a.pcap 1700000000 4711 cdr x`)
})

test.each([
  ['mirror', 'MIRROR', /sends its packets to a receiver and keeps none/],
  ['need aes!\n', 'AES', /wants commands encrypted/],
])('a sensor that says %j: why nothing comes, and what to do', async (says, code, message) => {
  const { port } = await sensor({}, { says })
  const error = await fetch(port, 'a').catch((e: unknown) => e as { code: string; message: string; suggestions: string[] })
  expect(error).toMatchObject({ code, message: expect.stringMatching(message), suggestions: [expect.any(String)] })
})

test('nothing is kept of the call', async () => {
  const { port } = await sensor({ [SIP]: { 'a.pcap': 'sip of a' } })
  expect(await fetch(port, 'b')).toEqual({})
})
