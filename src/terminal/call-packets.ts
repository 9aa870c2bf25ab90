import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { exitCodes, OperatorError } from '../lib/base/errors.js'
import type { Micros } from '../lib/base/units.js'
import type { CallJson } from '../lib/call/json.js'
import {
  addressText,
  connectManager,
  fetchError,
  fetchFromVoipmonitor,
  fetchPcap,
  type ManagerAddress,
  type ManagerClient,
  parseAddress,
  type Sink,
} from '../lib/manager/index.js'
import { callFiles } from '../lib/spool/find.js'
import { packetsOf } from '../lib/spool/packets.js'
import type { Sensor } from '../lib/store/store-admin.js'
import { localPcap } from './local-pcap.js'
import { type AccessFlags, clientOptionsFor } from './manager-access.js'
import { addressMeant, noSensors, sensorAddress } from './sensor-list.js'
import { fileSink } from './sinks.js'

/** Packets of calls, from wherever they are kept: the spool here, the sensor of the record, or a sensor that is named. */
export interface CallPacketsOptions {
  readonly spool: string
  readonly sipOnly: boolean
  /** Asked instead of what the record says. */
  readonly sensor: string | undefined
  /** All sensors are asked, whatever the record says. */
  readonly allSensors: boolean
  /** Connections to one sensor tried in a row without a byte. */
  readonly triesMax?: number | undefined
  readonly access: AccessFlags
  sensors(): Promise<readonly Sensor[]>
  /** Parts are kept here on their way. */
  readonly temporary: () => string
  onProgress(bytes: number, total: number | undefined): void
  say(text: string): void
}

export class CallPackets {
  readonly #options: CallPacketsOptions
  readonly #told = new Set<string>()
  readonly #clients = new Map<string, Promise<ManagerClient>>()

  constructor(options: CallPacketsOptions) {
    this.#options = options
  }

  /** Everything of one call into the sink. Answers what the operator should know; fails as an operator's error with the exit code that fits. */
  async fetch(call: CallJson, sink: Sink): Promise<string | undefined> {
    const { sensor, allSensors, spool, sipOnly } = this.#options
    if (sensor !== undefined) return this.#from(parseAddress(await addressMeant(sensor, this.#options.sensors)), call, sink)
    if (allSensors) return this.#fromAny(await this.#addresses(), call, sink)
    const here = call.pcap === null ? [] : callFiles(spool, call.pcap, { media: false })
    const address = here.length > 0 ? undefined : await this.sensorOf(call)
    if (address !== undefined) return this.#from(address, call, sink)
    const { files, note } = localPcap(spool, call, String(call.id ?? call.call_id))
    for await (const chunk of packetsOf(files, { sipOnly })) await sink.write(chunk)
    return sipOnly ? undefined : note
  }

  /** Where the sensor of the record is, when the list says. */
  async sensorOf({ sensor_id: id }: CallJson): Promise<ManagerAddress | undefined> {
    const sensor = id === null ? undefined : (await this.#options.sensors()).find((s) => s.id === id)
    const address = sensor === undefined ? null : sensorAddress(sensor)
    return address === null ? undefined : parseAddress(address)
  }

  close(): void {
    for (const client of this.#clients.values()) client.then((c) => c.close()).catch(() => {})
  }

  async #addresses(): Promise<ManagerAddress[]> {
    const addresses = (await this.#options.sensors()).map(sensorAddress).filter((a) => a !== null)
    if (addresses.length > 0) return addresses.map(parseAddress)
    throw noSensors('No sensor with an address is on the list.')
  }

  async #from(address: ManagerAddress, call: CallJson, sink: Sink): Promise<string | undefined> {
    if (address.kind === 'voipmonitor') {
      await this.#fromVoipmonitor(address, call, sink)
      return undefined
    }
    if (call.pcap === null) throw noPcap(call)
    const { sipOnly, triesMax, onProgress, say } = this.#options
    try {
      const { note } = await fetchPcap(() => this.#client(address), sink, {
        path: call.pcap,
        sipOnly,
        ...(triesMax !== undefined && { triesMax }),
        onProgress,
        onNotice: say,
      })
      return note
    } catch (error) {
      throw fetchError(error, nameOf(call), addressText(address))
    }
  }

  /**
   * The first that has it; when none has, the most telling of the failures. Who did not answer may have had more of the call, or
   * another view of it: that is told, and makes the answer a partial one.
   */
  async #fromAny(addresses: readonly ManagerAddress[], call: CallJson, sink: Sink): Promise<string | undefined> {
    const having = await Promise.all(
      addresses.map(async (address) => {
        try {
          return (await this.#has(address, call)) ? { address } : { address, missing: true }
        } catch (error) {
          return { address, error: error as Error }
        }
      }),
    )
    for (const { error } of having) if (error !== undefined) this.#tellOnce(error.message)
    const first = having.find((h) => h.missing !== true && h.error === undefined)
    const failed = having.filter((h) => h.error !== undefined)
    if (first !== undefined) {
      const note = await this.#from(first.address, call, sink)
      if (failed.length === 0) return note
      return [note, `${failed.length} of ${having.length} sensors could not be asked; these packets are of ${addressText(first.address)}.`]
        .filter((part) => part !== undefined)
        .join('\n')
    }
    const [failure] = failed
    if (failure !== undefined) throw failure.error
    throw new OperatorError('EXPIRED', `No sensor keeps the packets of ${nameOf(call)}.`, {
      exit: exitCodes.expired,
      suggestions: ['They have expired, or were never kept. The record stays: earshot cdr show.'],
    })
  }

  /** Of many calls, each asks all sensors: why one is silent is told of the first. */
  #tellOnce(message: string): void {
    if (this.#told.has(message)) return
    this.#told.add(message)
    this.#options.say(message)
  }

  async #has(address: ManagerAddress, call: CallJson): Promise<boolean> {
    if (address.kind === 'voipmonitor') return true
    if (call.pcap === null) throw noPcap(call)
    const client = await this.#client(address)
    const answers = client.ask('fetch', { path: call.pcap })
    try {
      return (await answers.next()).done !== true
    } catch {
      return false
    } finally {
      await answers.return({})
    }
  }

  /** One connection an address, opened again when it broke. */
  async #client(address: Exclude<ManagerAddress, { kind: 'voipmonitor' }>): Promise<ManagerClient> {
    const name = addressText(address)
    const before = this.#clients.get(name)
    if (before !== undefined) {
      const known = await before.catch(() => undefined)
      if (known?.open === true) return known
      // Several that lost it at once: the first opens it, the others wait for that.
      if (this.#clients.get(name) !== before) return this.#client(address)
    }
    const opening = connectManager(address, clientOptionsFor(name, this.#options.access))
    this.#clients.set(name, opening)
    return opening
  }

  /** SIP and RTP come apart; in order of time they become one file. */
  async #fromVoipmonitor(address: Extract<ManagerAddress, { kind: 'voipmonitor' }>, call: CallJson, sink: Sink): Promise<void> {
    const directory = mkdtempSync(join(this.#options.temporary(), '.earshot-fetch-'))
    let bytes = 0
    try {
      const sinks = new Map<string, ReturnType<typeof fileSink>>()
      const kinds = await fetchFromVoipmonitor(
        address,
        { callId: call.call_id, started: microsOf(call.started), id: call.pcap === null ? call.id : null },
        this.#options.sipOnly ? ['SIP'] : ['SIP', 'RTP'],
        (kind) => {
          const file = fileSink(join(directory, kind))
          sinks.set(kind, file)
          return file
        },
        (more) => {
          bytes += more
          this.#options.onProgress(bytes, undefined)
        },
      )
      for (const [kind, file] of sinks) await (kinds.includes(kind) ? file.commit() : file.discard())
      if (kinds.length === 0) {
        throw new OperatorError('EXPIRED', `${addressText(address)} keeps no packets of ${nameOf(call)}.`, {
          exit: exitCodes.expired,
          suggestions: ['They have expired there, or were never saved (savesip, savertp).'],
        })
      }
      for await (const chunk of packetsOf(kinds.map((kind) => join(directory, kind)))) await sink.write(chunk)
    } finally {
      rmSync(directory, { recursive: true, force: true })
    }
  }
}

export const nameOf = (call: CallJson): string => `call ${call.id ?? `"${call.call_id}"`}`

/** Of an ISO time with microseconds. */
function microsOf(iso: string): Micros {
  return (Date.parse(`${iso.slice(0, 19)}Z`) * 1000 + Number(iso.slice(20, 26))) as Micros
}

const noPcap = (call: CallJson): OperatorError =>
  new OperatorError('NO_PCAP', `No packets were kept of ${nameOf(call)}.`, {
    exit: exitCodes.notFound,
    suggestions: ['sniff keeps them with --spool DIR (and unless --save none).'],
  })
