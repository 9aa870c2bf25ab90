import { openSync, writeSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { interfaceRequest, SystemError } from '../../src/lib/capture/native.js'

/** Makes a tun interface, which has no link header, and lets each packet written as hex on standard input arrive on it. */
const TUNSETIFF = 0x400454ca
const IFF_TUN_NO_PI = 0x1001

const fd = openSync('/dev/net/tun', 'r+')
const ifreq = new Uint8Array(40)
ifreq.set(new TextEncoder().encode(process.argv[2]))
new DataView(ifreq.buffer).setUint16(16, IFF_TUN_NO_PI, true)
if (!interfaceRequest(fd, TUNSETIFF, ifreq)) throw new SystemError('TUNSETIFF')
process.stdout.write('ready\n')
for await (const line of createInterface({ input: process.stdin })) writeSync(fd, Buffer.from(line, 'hex'))
