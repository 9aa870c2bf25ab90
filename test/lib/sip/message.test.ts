import { describe, expect, test } from 'vitest'
import { digestUser, parseCSeq, parseNameAddress, parseReasons, parseUri, tagOf, viaBranch } from '../../../src/lib/sip/address.js'
import { infoDigit } from '../../../src/lib/sip/dtmf-info.js'
import { type HeaderName, headerTable } from '../../../src/lib/sip/headers.js'
import { readSip } from '../../../src/lib/sip/message.js'
import { parseSdp } from '../../../src/lib/sip/sdp.js'
import { beginsSip } from '../../../src/lib/sip/start-line.js'

const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'utf8'))
const read = (text: string, cut = false) => {
  const b = bytes(text)
  return readSip(b, 0, b.length, cut)
}

describe('is it SIP', () => {
  test.each([
    ['INVITE sip:a@b SIP/2.0\r\n', true],
    ['SIP/2.0 200 OK\r\n', true],
    ['SIP/2.0 180\r\n', true],
    ['sip/2.0 200 OK\r\n', true],
    ['NEWMETHOD sip:a@b SIP/2.0\r\n', true],
    // RFC 4475 3.1.1.2: any token is a method.
    ["!interesting-Method0123456789_*+`.%indeed'~ sip:a@b SIP/2.0\r\n", true],
    ['OPTIONS sip:a@b SIP/2.0\n', true],
    ['OPTIONS sip:a@b SIP/2.0', false],
    ['NOTIFY * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\n', false],
    ['GET / HTTP/1.0\r\n', false],
    ['HTTP/1.1 200 OK\r\n', false],
    ['SIP/2.0 OK\r\n', false],
    ['SIP/3.0 200 OK\r\n', false],
    ['INVITE  SIP/2.0\r\n', false],
    ['\u0000\u0000\u0000\u0000', false],
    ['', false],
  ])('%j: %s', (text, want) => {
    const b = bytes(text)
    expect(beginsSip(b, 0, b.length)).toBe(want)
  })
})

describe('message', () => {
  test('compact names, any case, folding, and the body by Content-Length', () => {
    const m = read('INVITE sip:bob@b SIP/2.0\r\nI: abc@1\r\nf: "A" <sip:a@b>;\r\n\t tag=1\r\nT : <sip:b@b>\r\nl: 4\r\n\r\nbodyrest')
    if (typeof m === 'string') throw new Error(m)
    expect([m.method, m.requestUri, m.header('call-id'), m.header('from'), m.header('to')]).toEqual([
      'INVITE',
      'sip:bob@b',
      'abc@1',
      '"A" <sip:a@b>; tag=1',
      '<sip:b@b>',
    ])
    expect(m.bodyEnd - m.bodyAt).toBe(4)
  })

  test('every field of the table by its name in any case and by its short form, and no other', () => {
    for (const [name, short] of Object.entries(headerTable)) {
      for (const form of [name, name.toUpperCase(), ...(short === undefined ? [] : [short, short.toUpperCase()])]) {
        const m = read(`OPTIONS sip:a@b SIP/2.0\r\n${form}\t: here\r\n\r\n`)
        expect(typeof m === 'string' ? m : m.header(name as HeaderName), form).toBe('here')
      }
    }
    const m = read('OPTIONS sip:a@b SIP/2.0\r\nCall\rID: 1\r\nCall_ID: 2\r\nCall-IDs: 3\r\nCall-I: 4\r\n: 5\r\nViA\u0300: 6\r\n\r\n')
    expect(typeof m === 'string' ? m : [m.header('call-id'), m.header('via')]).toEqual([undefined, undefined])
  })

  test.each([
    ['SIP/2.0 180\r\n', 180, ''],
    ['sip/2.0 404 Not  Found \r\n', 404, 'Not  Found'],
    ['SIP/2.0 4861Busy\r\n', 486, '1Busy'],
  ])('the status line %j', (line, status, reasonPhrase) =>
    expect(read(`${line}Call-ID: x\r\n\r\n`)).toMatchObject({ status, reasonPhrase, method: undefined }),
  )

  test.each(['-1', 'abc', '99999999999', '', '4 4'])('Content-Length %j: the datagram ends the body', (value) => {
    const m = read(`SIP/2.0 200 OK\r\nCall-ID: x\r\nContent-Length: ${value}\r\n\r\n12345`)
    expect(typeof m === 'string' ? m : m.bodyEnd - m.bodyAt).toBe(5)
  })

  test('cut by the snaplen: what is there is kept', () => {
    const m = read('SIP/2.0 183 Session Progress\r\nCall-ID: x\r\nCSeq: 1 INV')
    expect(typeof m === 'string' ? m : [m.status, m.reasonPhrase, m.header('call-id')]).toEqual([183, 'Session Progress', 'x'])
  })

  test.each([
    ['a Call-ID', 'INVITE sip:b@b SIP/2.0\r\nCSeq: 1 INVITE\r\nCall-ID: 2d456948-fa5e@192.168.5', undefined, 0],
    ['the end of a header', 'INVITE sip:b@b SIP/2.0\r\nCSeq: 1 INVITE\r\nCall-ID: x\r', undefined, 0],
    ['a folded header', 'INVITE sip:b@b SIP/2.0\r\nCSeq: 1 INVITE\r\nCall-ID:\r\n x', undefined, 0],
    ['a port', 'INVITE sip:b@b SIP/2.0\r\nCall-ID: x\r\nContent-Length: 99\r\n\r\nv=0\r\nm=audio 400', 'x', 5],
    ['nothing: the body had ended', 'INVITE sip:b@b SIP/2.0\r\nCall-ID: x\r\nContent-Length: 3\r\n\r\nv=0 and more', 'x', 3],
  ])('cut in the middle of %s: half a line is no line', (_, text, callId, body) => {
    const m = read(text, true)
    expect(typeof m === 'string' ? m : [m.method, m.header('call-id'), m.bodyEnd - m.bodyAt]).toEqual(['INVITE', callId, body])
  })

  test('64 KiB of one header, NUL bytes, and UTF-8 in a name', () => {
    const long = 'x'.repeat(65_000)
    const m = read(`INVITE sip:a@b SIP/2.0\r\nUser-Agent: ${long}\r\nCall-ID: a\u0000b\r\nFrom: "Žofie 📞" <sip:z@b>\r\n\r\n`)
    if (typeof m === 'string') throw new Error(m)
    expect(m.header('user-agent')).toHaveLength(65_000)
    expect(m.header('call-id')).toBe('a\u0000b')
    expect(parseNameAddress(m.header('from') ?? '').displayName).toBe('Žofie 📞')
  })
})

describe('name and address', () => {
  test.each([
    ['"Alice \\"A\\" <x>" <sip:alice@example.com:5060;transport=udp>;tag=88sja8x', 'Alice "A" <x>', 'alice', 'example.com', '88sja8x'],
    ['<sip:+15550100;phone-context=x@h>;tag=1', undefined, '+15550100;phone-context=x', 'h', '1'],
    ['sip:c8oqz84zk7z@privacy.org;tag=hyh8', undefined, 'c8oqz84zk7z', 'privacy.org', 'hyh8'],
    ['Anonymous <sip:c8oqz84zk7z@privacy.org>;tag=hyh8', 'Anonymous', 'c8oqz84zk7z', 'privacy.org', 'hyh8'],
    ['<sips:user:pass@[2001:db8::1]:5061>', undefined, 'user', '2001:db8::1', undefined],
    ['<tel:+1-201-555-0123;ext=5>', undefined, '+1-201-555-0123', undefined, undefined],
    ['<urn:service:sos.police>', undefined, 'urn:service:sos.police', undefined, undefined],
    ['urn:service:sos;tag=1', undefined, 'urn:service:sos', undefined, '1'],
    ['<sip:example.com>', undefined, undefined, 'example.com', undefined],
    ['', undefined, undefined, undefined, undefined],
    ['<<<>>>;tag', undefined, undefined, '<<', undefined],
    ['<sip:a@b> ; TAG = "x y"', undefined, 'a', 'b', undefined],
    ['<sip:a@b>;x=1;Tag=7', undefined, 'a', 'b', '7'],
    ['"<sip:no@no>;tag=no" <sip:a@b>;tag="q"', '<sip:no@no>;tag=no', 'a', 'b', 'q'],
    ['<sip:a@b>;tag=', undefined, 'a', 'b', undefined],
    ['<sip:a@b>;tag=t , <sip:c@d>;tag=u', undefined, 'a', 'b', 't'],
  ])('%j', (text, displayName, user, host, tag) => {
    expect(parseNameAddress(text)).toEqual({ displayName, user, host, tag })
    expect(tagOf(text)).toBe(tag)
  })

  test('parts of other headers', () => {
    expect(parseCSeq('314159 INVITE')).toEqual({ number: 314_159, method: 'INVITE' })
    expect(parseCSeq('INVITE')).toBeUndefined()
    expect(viaBranch('SIP/2.0/UDP pc33.atlanta.com;branch=z9hG4bK776asdhds ;rport')).toBe('z9hG4bK776asdhds')
    expect(digestUser('Digest realm="x", username="bob", nonce="1"')).toBe('bob')
    expect(parseUri('sip:1234@host;user=phone')).toEqual({ user: '1234', host: 'host' })
  })

  // RFC 3326 section 2, and its examples.
  test('Reason', () => {
    expect(parseReasons('SIP ;cause=200 ;text="Call completed, elsewhere", Q.850;cause=16')).toEqual([
      { protocol: 'SIP', cause: 200, text: 'Call completed, elsewhere' },
      { protocol: 'Q.850', cause: 16, text: undefined },
    ])
  })
})

describe('SDP', () => {
  // standards.md 3: media-level c= beats the session's, a=rtcp names another host.
  test('the reference offer', () => {
    const [m] = parseSdp(
      'v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 49170 RTP/AVP 8 101\r\nc=IN IP4 198.51.100.7\r\na=rtpmap:101 telephone-event/8000\r\na=rtcp:53020 IN IP6 2001:db8::1\r\n',
    )
    expect(m).toMatchObject({ host: '198.51.100.7', port: 49_170, rtcpHost: '2001:db8::1', rtcpPort: 53_020, payloadTypes: [8, 101] })
    expect(m?.rtpmap.get(101)).toEqual({ name: 'telephone-event', clockRate: 8000 })
  })

  test.each([
    { name: 'RTCP is the next port', body: 'm=audio 4000 RTP/AVP 0', want: { port: 4000, rtcpPort: 4001 } },
    { name: 'rtcp-mux', body: 'm=audio 4000 RTP/AVP 0\na=rtcp-mux', want: { rtcpPort: 4000 } },
    { name: 'rejected', body: 'm=video 0 RTP/AVP 34', want: { port: 0, rtcpPort: 0 } },
    { name: 'the last port', body: 'm=audio 65535 RTP/AVP 0', want: { port: 65_535, rtcpPort: 0 } },
    { name: 'encrypted by profile', body: 'm=audio 4000 RTP/SAVPF 0', want: { encrypted: true } },
    { name: 'encrypted by crypto', body: 'm=audio 4000 RTP/AVP 0\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x', want: { encrypted: true } },
    { name: 'hold', body: 'm=audio 4000 RTP/AVP 0\na=inactive', want: { direction: 'inactive' } },
    { name: 'ptime', body: 'm=audio 4000 RTP/AVP 0\na=ptime:30', want: { ptimeMs: 30 } },
  ])('$name', ({ body, want }) => expect(parseSdp(`v=0\nc=IN IP4 10.0.0.1\n${body}\n`)[0]).toMatchObject(want))

  test.each(['', 'v=0', 'm=audio 1 RTP/AVP 0', 'v=0\nm=audio 99999 RTP/AVP 0', 'v=0\nm=\nm=x\nc=\na=', 'v=0\nm=audio x RTP/AVP 0'])(
    'nonsense %j has no media',
    (body) => expect(parseSdp(body)).toEqual([]),
  )

  test('the part of a multipart body', () => {
    const body =
      '--x\r\nContent-Type: application/sdp\r\n\r\nv=0\r\nc=IN IP4 10.0.0.1\r\nm=audio 4000 RTP/AVP 0\r\n--x\r\nm=audio 5000 RTP/AVP 0\r\n--x--\r\n'
    expect(parseSdp(body).map((m) => m.port)).toEqual([4000])
  })

  test('bounded: a thousand media lines are sixteen', () => {
    expect(parseSdp(`v=0\nc=IN IP4 10.0.0.1\n${'m=audio 4000 RTP/AVP 0\n'.repeat(1000)}`)).toHaveLength(16)
  })
})

describe('digits by INFO', () => {
  test.each([
    ['application/dtmf-relay', 'Signal=5\r\nDuration=160\r\n', '5'],
    ['application/dtmf-relay', 'Signal= 11\r\nDuration=160', '#'],
    ['application/dtmf', '9', '9'],
    ['application/dtmf', 'd', 'D'],
    ['application/dtmf-relay', 'Signal=flash', undefined],
    ['application/sdp', '5', undefined],
    [undefined, '5', undefined],
  ])('%s %j is %s', (type, body, digit) => expect(infoDigit(type, body)).toBe(digit))
})
