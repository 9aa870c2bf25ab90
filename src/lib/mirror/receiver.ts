import { createServer, type Server, type Socket } from 'node:net'
import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises'
import { createSecureContext, type SecureContext, TLSSocket } from 'node:tls'
import { Counters } from '../base/counters.js'
import { OperatorError } from '../base/errors.js'
import type { Notice } from '../base/notice.js'
import type { BatchOrigin, PacketSource, StopSignal } from '../base/packets.js'
import { admits, type SensorSecrets } from './auth.js'
import { ClassicConnection, type ClassicOptions, classicQuietMs } from './classic-server.js'
import { type Destination, destinationText, isLoopback } from './dial.js'
import { type ArrivedBlock, Lane, type MirrorBatch, type Position } from './lane.js'
import { LaneGroup } from './merge.js'
import { type Admission, OwnConnection } from './own-server.js'
import type { Answer, Hello, Refuse, Status } from './protocol.js'
import type { ClassicHandshake } from './voipmonitor.js'

/**
 * The receiver: a packet source whose interfaces are senders. Both protocols come in on one port and are told apart by their first bytes.
 *
 * Each sensor has an origin of its own, and so a pipeline of its own: its clock, its replay after an outage and its private addresses are
 * nobody else's. Sensors that see parts of the same calls are named together and become one origin, merged in the order of time.
 *
 * A block is acknowledged when its last packet was released by the consumer. What a slow consumer cannot take stays with the senders:
 * a connection with more than its share here is not read.
 */
export interface ReceiverOptions {
  readonly bind: Destination
  /** Undefined: plain only. */
  readonly tls: { readonly cert: Buffer; readonly key: Buffer; readonly ca?: Buffer } | undefined
  /** Streams without TLS also from other machines. */
  readonly allowPlain: boolean
  /** Undefined: anyone may come in. */
  readonly secrets: (() => SensorSecrets) | undefined
  /** VoIPmonitor's stream has no secrets: with `secrets` it comes in only when this says so. */
  readonly allowClassic: boolean
  /** Put into all records instead of the senders' numbers. */
  readonly sensorId: number | undefined
  /** Numbers of sensors that see parts of the same calls. */
  readonly together: readonly (readonly number[])[]
  /** All in one order of time, for writing; else each origin by itself. */
  readonly mergeAll: boolean
  readonly windowMs: number
  /** For blocks that wait here. */
  readonly memoryMax: number
  /** A clock that differs by more is corrected where calls are made of the packets; 0 corrects none. */
  readonly differenceSecondsMax: number
  readonly classic: ClassicOptions
  /** How far streams had come when the last run ended. */
  readonly positions: readonly Position[]
  /** Blocks are acknowledged when the consumer says so (`acknowledgements`), not when they are released. */
  readonly holdAcks: boolean
  readonly onNotice: Notice
  /** It looked, and nothing had come. */
  onIdle?(): void
}

export interface SensorState {
  readonly sensorId: number | undefined
  readonly name: string
  readonly address: string
  readonly connected: boolean
  readonly protocol: 'earshot' | 'voipmonitor'
  readonly encrypted: boolean
  readonly packets: number
  readonly blocks: number
  readonly bytes: number
  /** Our clock minus its clock. */
  readonly skewMs: number | undefined
  readonly roundTripMs: number | undefined
  /** How old the oldest packet is that it has not got rid of. */
  readonly lagMs: number | undefined
  readonly waitingHere: { readonly packets: number; readonly bytes: number }
  /** Blocks that were never sent, by their numbers: given up at the sender. */
  readonly gaps: number
  readonly duplicates: number
  /** What it says of itself: buffers, losses by stage. */
  readonly sender: Status | undefined
}

/** Blocks of one sender on their way. */
const WINDOW_BLOCKS = 1024
const CONNECTIONS_MAX = 4096
const SENSORS_MAX = 4096
/** Streams remembered of one sensor; each restart without a disk makes one. */
const STREAMS_MAX = 8
/** A connection that was heard so lately keeps its place. */
const ALIVE_MS = 5000
/** The calls of a sender that stays away end by their own timeouts, after this. */
const AWAY_MS = 3_600_000
const WAIT_MS = 100
const FIRST_BYTES_MS = 10_000
/** The end waits so long for senders to take their acknowledgements. */
const CLOSE_MS = 500
/** And so long for what waits here to be consumed. */
const REST_MS = 10_000
/** The stream of a sender that names none. */
const CLASSIC = 'classic'
/** The least share of memory: one block must fit. */
const SHARE_MIN = 1 << 20

type Connection = OwnConnection | ClassicConnection

interface Stream {
  readonly id: string
  readonly lane: Lane
}

interface Sensor {
  readonly key: string
  readonly number: number
  name: string
  readonly group: LaneGroup
  readonly origin: BatchOrigin
  readonly streams: Stream[]
  connection: Connection | undefined
  awaySinceMs: number
  /** When time was last passed on to it. */
  passedMs: number
  address: string
  packets: number
  blocks: number
  bytes: number
  gaps: number
  duplicates: number
  status: Status | undefined
}

export class Receiver implements PacketSource {
  readonly live = true
  readonly canWait = true
  readonly oddities = new Counters()
  #options: ReceiverOptions
  readonly #server: Server
  #context: SecureContext | undefined
  readonly #sensors = new Map<string, Sensor>()
  readonly #groups: LaneGroup[] = []
  readonly #all: LaneGroup | undefined
  readonly #origins = new Map<string, { group: LaneGroup; origin: BatchOrigin }>()
  readonly #sensorOf = new Map<Connection, { sensor: Sensor; stream: Stream }>()
  readonly #sockets = new Set<Socket>()
  readonly #paused = new Set<Connection>()
  readonly #owed = new Map<OwnConnection, number>()
  #waitingBytes = 0
  #bytes = 0
  #turn = 0
  #wake: () => void = () => {}

  private constructor(options: ReceiverOptions) {
    this.#options = options
    this.#context = options.tls && createSecureContext(options.tls)
    this.#all = options.mergeAll ? new LaneGroup(options.windowMs) : undefined
    if (this.#all !== undefined) this.#groups.push(this.#all)
    this.#server = createServer({ pauseOnConnect: false }, (socket) => this.#connected(socket))
    this.#server.maxConnections = CONNECTIONS_MAX
  }

  /** Listens; throws an OperatorError when it cannot. */
  static async listen(options: ReceiverOptions): Promise<Receiver> {
    let receiver: Receiver
    try {
      receiver = new Receiver(options)
    } catch (error) {
      throw new OperatorError('MIRROR_TLS', `The certificate and its key cannot be used: ${(error as Error).message}.`, {
        cause: error,
        suggestions: ['Give PEM files that belong together: --tls-cert FILE --tls-key FILE'],
      })
    }
    const { host, port } = options.bind
    await new Promise<void>((resolve, reject) => {
      receiver.#server.once('error', (error: NodeJS.ErrnoException) =>
        reject(
          new OperatorError('MIRROR_BIND', `Cannot listen on ${destinationText(options.bind)}: ${error.message}.`, {
            cause: error,
            suggestions:
              error.code === 'EADDRINUSE'
                ? ['Another receiver may be running. Choose another port: --mirror-bind-port N']
                : ['Give an address of this machine: --mirror-bind-ip ADDRESS'],
          }),
        ),
      )
      receiver.#server.listen({ host, port, backlog: 512 }, resolve)
    })
    receiver.#server.on('error', (error) => options.onNotice(`The listening socket had an error: ${error.message}.`, 'error'))
    return receiver
  }

  /** Other secrets and another certificate, for who connects from now on. Throws, and changes nothing, when they cannot be used. */
  admitWith({ tls, secrets }: Pick<ReceiverOptions, 'tls' | 'secrets'>): void {
    const context = tls && createSecureContext(tls)
    this.#context = context
    this.#options = { ...this.#options, tls, secrets }
  }

  get port(): number {
    const address = this.#server.address()
    return typeof address === 'object' && address !== null ? address.port : 0
  }

  async *batches(signal: StopSignal): AsyncGenerator<MirrorBatch, void, void> {
    const onAbort = (): void => this.#wake()
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      while (!signal.aborted) {
        const batch = this.#next(Date.now())
        if (batch === undefined) {
          this.#options.onIdle?.()
          await new Promise<void>((resolve) => {
            const timer = setTimeout(resolve, WAIT_MS)
            this.#wake = () => {
              clearTimeout(timer)
              resolve()
            }
          })
          this.#wake = () => {}
          this.#passTime(Date.now())
          continue
        }
        yield batch
        // Sockets, timers and signals get their turn, however much waits.
        await nextTurn()
      }
      this.#takeNoMore()
      yield* this.#rest()
    } finally {
      signal.removeEventListener('abort', onAbort)
      this.#takeNoMore()
    }
  }

  /** The connections stay until `close`, for acknowledgements of what is being finished. */
  #takeNoMore(): void {
    this.#server.close()
    for (const connection of this.#sensorOf.keys()) connection.socket.pause()
  }

  /**
   * What VoIPmonitor's senders have been told is safe, and waits here still. Ours keep what was not acknowledged, and send it to the
   * next run.
   */
  async *#rest(): AsyncGenerator<MirrorBatch, void, void> {
    for (const { group, streams } of this.#sensors.values())
      for (const { id, lane } of streams) if (id !== CLASSIC) this.#dropLane(group, lane)
    for (const endMs = Date.now() + REST_MS; Date.now() < endMs; ) {
      const batch = this.#next(Number.POSITIVE_INFINITY)
      if (batch === undefined) return
      yield batch
      await nextTurn()
    }
  }

  /** One run of each group in turn. */
  #next(nowMs: number): MirrorBatch | undefined {
    const groups = this.#groups
    for (let i = 0; i < groups.length; i++) {
      const at = (this.#turn + i) % groups.length
      const batch = (groups[at] as LaneGroup).next(nowMs)
      if (batch === undefined) continue
      this.#turn = at + 1
      return batch
    }
    return undefined
  }

  /** The calls of senders that stay away must end some day; and those of a sender that says nothing because its wire is silent. */
  #passTime(nowMs: number): void {
    for (const sensor of this.#sensors.values()) {
      const { connection, streams } = sensor
      const lanes = streams.map(({ lane }) => lane).filter((lane) => lane.empty)
      if (connection instanceof ClassicConnection) {
        const sinceMs = Math.max(sensor.passedMs, connection.heardMs + (this.#options.classic.quietMs ?? classicQuietMs))
        if (nowMs > sinceMs) for (const lane of lanes) if (lane.until > 0) lane.until += (nowMs - sinceMs) * 1000
      } else if (connection === undefined && nowMs - sensor.awaySinceMs >= AWAY_MS)
        for (const lane of lanes) lane.until = Math.max(lane.until, nowMs * 1000)
      sensor.passedMs = nowMs
    }
  }

  #connected(socket: Socket): void {
    this.#sockets.add(socket)
    socket.once('close', () => this.#sockets.delete(socket))
    const timer = setTimeout(() => {
      this.oddities.add('connection that said nothing')
      socket.destroy()
    }, FIRST_BYTES_MS)
    const onError = (): void => {}
    socket.on('error', onError)
    socket.once('close', () => clearTimeout(timer))
    socket.once('readable', () => {
      const chunk = socket.read() as Buffer | null
      if (chunk === null || chunk.length === 0) return
      clearTimeout(timer)
      socket.unshift(chunk)
      this.#recognise(socket, chunk[0] as number)
    })
  }

  /** TLS begins with a handshake record (22), our preamble with "e", VoIPmonitor's texts and blocks with "s" and "p". */
  #recognise(socket: Socket, first: number): void {
    const plainAllowed = this.#options.allowPlain || isLoopback(socket.remoteAddress ?? '')
    if (first === 0x16 && this.#context !== undefined) this.#secure(socket, this.#context)
    else if (first === 0x16) this.#turnAway(socket, 'TLS connection, but this receiver has no certificate')
    else if (!plainAllowed) this.#turnAway(socket, 'connection without TLS')
    else if (first === 0x65) new OwnConnection(socket, this.#ownHost, false)
    else if (first === 0x73 || first === 0x70) {
      if (this.#options.secrets === undefined || this.#options.allowClassic)
        new ClassicConnection(socket, this.#classicHost, this.#options.classic)
      else this.#turnAway(socket, 'VoIPmonitor sender, which cannot prove who it is')
    } else this.#turnAway(socket, 'connection that speaks neither protocol')
  }

  #turnAway(socket: Socket, reason: string): void {
    if (this.oddities.get(reason) === 0) this.#options.onNotice(`Turned away ${socket.remoteAddress}: ${reason}.`, 'warning')
    this.oddities.add(reason)
    socket.destroy()
  }

  #secure(socket: Socket, secureContext: SecureContext): void {
    const { tls, secrets } = this.#options
    const askCertificate = tls?.ca !== undefined || (secrets?.().fingerprints.size ?? 0) > 0
    const secure = new TLSSocket(socket, {
      isServer: true,
      secureContext,
      requestCert: askCertificate,
      rejectUnauthorized: tls?.ca !== undefined,
    })
    const timer = setTimeout(() => socket.destroy(), FIRST_BYTES_MS)
    secure.once('error', (error) => {
      clearTimeout(timer)
      this.oddities.add('TLS handshake failed')
      this.#options.onNotice(`TLS with ${socket.remoteAddress} failed: ${error.message}.`, 'warning')
      socket.destroy()
    })
    secure.once('secure', () => {
      clearTimeout(timer)
      new OwnConnection(secure, this.#ownHost, true)
    })
  }

  readonly #ownHost = {
    admit: (hello: Hello, nonce: string, answer: Answer, connection: OwnConnection): Admission | Refuse =>
      this.#admitOwn(hello, nonce, answer, connection),
    arrived: (block: ArrivedBlock, connection: OwnConnection): void => this.#arrived(block, connection),
    status: (status: Status, connection: OwnConnection): void => this.#status(status, connection),
    ended: (connection: Connection, reason: string): void => this.#ended(connection, reason),
    odd: (reason: string, by?: number): void => this.oddities.add(reason, by),
  }

  readonly #classicHost = {
    admit: (handshake: ClassicHandshake, connection: ClassicConnection): string | undefined => this.#admitClassic(handshake, connection),
    arrived: (block: ArrivedBlock, connection: ClassicConnection): void => this.#arrived(block, connection),
    hasRoom: (connection: ClassicConnection): boolean => !this.#overShare(this.#sensorOf.get(connection)?.stream.lane),
    ended: (connection: Connection, reason: string): void => this.#ended(connection, reason),
    odd: (reason: string, by?: number): void => this.oddities.add(reason, by),
  }

  #admitOwn(hello: Hello, nonce: string, answer: Answer, connection: OwnConnection): Admission | Refuse {
    const { secrets, differenceSecondsMax, mergeAll, onNotice } = this.#options
    const { sensorId, stream } = hello
    const label = labelOf(sensorId, hello.name)
    if (secrets !== undefined) {
      const fingerprint =
        connection.socket instanceof TLSSocket ? (connection.socket.getPeerCertificate().fingerprint256 as string | undefined) : undefined
      if (!admits(secrets(), sensorId, nonce, answer.proof, fingerprint)) {
        this.oddities.add('sender with a wrong token')
        onNotice(`Refused ${label} from ${connection.address}: its token is not that of id_sensor ${sensorId}.`, 'warning')
        return { code: 'TOKEN', reason: `the token is not that of id_sensor ${sensorId}` }
      }
    }
    const sensor = this.#sensor(sensorId === 0 ? anonymousKey(stream) : `${sensorId}`, sensorId, hello.name)
    if (sensor === undefined) return { code: 'BROKEN', reason: 'too many sensors' }
    const before = sensor.connection
    if (before !== undefined) {
      const same = before instanceof OwnConnection && before.hello?.stream === stream
      if (!same && Date.now() - before.heardMs < ALIVE_MS) {
        this.oddities.add('second sender with an id_sensor that is connected')
        onNotice(
          `Refused ${label} from ${connection.address}: id_sensor ${sensorId} is connected from ${before.address} (${clean(sensor.name)}).`,
          'warning',
        )
        return { code: 'DUPLICATE', reason: `id_sensor ${sensorId} is already connected from ${before.address}; give each sender its own` }
      }
      before.end('it has connected anew')
    }
    const kept = this.#stream(sensor, stream)
    this.#attach(sensor, kept, connection, hello.name)
    const skew = Math.round(connection.skewMicros ?? 0)
    const off = differenceSecondsMax > 0 && Math.abs(skew) > differenceSecondsMax * 1e6
    // Written packets keep their times; only their order among others follows the common clock.
    kept.lane.orderShift = off && mergeAll ? skew : 0
    kept.lane.timeShift = off && !mergeAll ? skew : 0
    onNotice(
      `${label} connected from ${connection.address}${connection.encrypted ? ' with TLS' : ''}.${off ? ` Its clock is ${clockText(skew)}${mergeAll ? '' : '; the times of its packets are corrected'}.` : ''}`,
      'notice',
    )
    return { acked: kept.lane.handed, have: kept.lane.have, window: WINDOW_BLOCKS, shiftMicros: kept.lane.timeShift }
  }

  #admitClassic(handshake: ClassicHandshake, connection: ClassicConnection): string | undefined {
    const number = Math.max(0, handshake.sensorId)
    const sensor = this.#sensor(number === 0 ? `classic ${connection.address}` : `${number}`, number, handshake.name)
    if (sensor === undefined) return 'too many sensors'
    const before = sensor.connection
    if (before !== undefined) {
      if (before.heardMs > Date.now() - ALIVE_MS && before.socket.remoteAddress !== connection.socket.remoteAddress) {
        this.oddities.add('second sender with an id_sensor that is connected')
        this.#options.onNotice(
          `Refused ${labelOf(number, handshake.name)} from ${connection.address}: it is connected from ${before.address}.`,
          'warning',
        )
        return 'its id_sensor is connected already'
      }
      before.end('it has connected anew')
    }
    this.#attach(sensor, this.#stream(sensor, CLASSIC), connection, handshake.name)
    this.#options.onNotice(
      `${labelOf(number, handshake.name)} connected from ${connection.address}, with VoIPmonitor's protocol.`,
      'notice',
    )
    return undefined
  }

  #attach(sensor: Sensor, stream: Stream, connection: Connection, name: string): void {
    if (name !== '') sensor.name = name
    sensor.connection = connection
    sensor.address = connection.address
    for (const { lane } of sensor.streams) lane.connected = false
    stream.lane.connected = true
    this.#sensorOf.set(connection, { sensor, stream })
  }

  #sensor(key: string, number: number, name: string): Sensor | undefined {
    const known = this.#sensors.get(key)
    if (known !== undefined) return known
    if (this.#sensors.size >= SENSORS_MAX && !this.#forgetOne()) return undefined
    const { group, origin } = this.#originFor(key, number, name)
    const sensor: Sensor = {
      key,
      number,
      name,
      group,
      origin,
      streams: [],
      connection: undefined,
      awaySinceMs: Date.now(),
      passedMs: Date.now(),
      address: '',
      packets: 0,
      blocks: 0,
      bytes: 0,
      gaps: 0,
      duplicates: 0,
      status: undefined,
    }
    this.#sensors.set(key, sensor)
    for (const position of this.#options.positions)
      if (position.sensorId === number && (number > 0 || key === anonymousKey(position.stream)))
        this.#stream(sensor, position.stream).lane.resumeAt(position)
    return sensor
  }

  /** The sensor that has been away the longest, when nothing of it waits. */
  #forgetOne(): boolean {
    for (const sensor of this.#sensors.values()) {
      if (sensor.connection !== undefined || !sensor.streams.every(({ lane }) => lane.empty)) continue
      this.#sensors.delete(sensor.key)
      for (const { lane } of sensor.streams) this.#dropLane(sensor.group, lane)
      return true
    }
    return false
  }

  /** Sensors that were named together share a pipeline. */
  #originFor(key: string, number: number, name: string): { group: LaneGroup; origin: BatchOrigin } {
    const friends = number > 0 ? this.#options.together.find((list) => list.includes(number)) : undefined
    const originKey = this.#all === undefined && friends !== undefined ? `together ${friends.join(' ')}` : key
    const known = this.#origins.get(originKey)
    if (known !== undefined) return known
    const reported = friends !== undefined && this.#all === undefined ? (friends[0] as number) : number
    const made = {
      group: this.#all ?? new LaneGroup(this.#options.windowMs),
      origin: { sensorId: this.#options.sensorId ?? (reported > 0 ? reported : undefined), name },
    }
    if (this.#all === undefined) this.#groups.push(made.group)
    this.#origins.set(originKey, made)
    return made
  }

  #stream(sensor: Sensor, id: string): Stream {
    const known = sensor.streams.find((stream) => stream.id === id)
    if (known !== undefined) return known
    if (sensor.streams.length >= STREAMS_MAX) {
      const index = sensor.streams.findIndex(({ lane }) => lane.empty)
      for (const { lane } of index < 0 ? [] : sensor.streams.splice(index, 1)) this.#dropLane(sensor.group, lane)
    }
    const lane = new Lane(sensor.origin, (block) => this.#handed(block, sensor, stream))
    const stream: Stream = { id, lane }
    sensor.streams.push(stream)
    sensor.group.lanes.push(lane)
    return stream
  }

  #dropLane(group: LaneGroup, lane: Lane): void {
    const index = group.lanes.indexOf(lane)
    if (index >= 0) group.lanes.splice(index, 1)
  }

  #arrived(block: ArrivedBlock, connection: Connection): void {
    const found = this.#sensorOf.get(connection)
    if (found === undefined) return
    const { sensor, stream } = found
    const { lane } = stream
    if (connection instanceof OwnConnection) {
      if (block.number <= lane.have) {
        sensor.duplicates++
        if (block.number <= lane.handed) connection.ack(lane.handed)
        return
      }
      if (lane.have >= 0) sensor.gaps += block.number - lane.have - 1
    }
    lane.push(block)
    sensor.blocks++
    sensor.packets += block.packets
    sensor.bytes += block.bytes
    this.#bytes += block.bytes
    this.#waitingBytes += block.bytes
    if (this.#overShare(lane) && connection instanceof OwnConnection) {
      connection.socket.pause()
      this.#paused.add(connection)
    }
    this.#wake()
  }

  #overShare(lane: Lane | undefined): boolean {
    if (lane === undefined || lane.empty) return false
    const share = Math.max(SHARE_MIN, this.#options.memoryMax / Math.max(1, this.#sensorOf.size))
    return lane.bytes > share || (this.#waitingBytes > this.#options.memoryMax && lane.bytes > SHARE_MIN)
  }

  #handed(block: ArrivedBlock, sensor: Sensor, stream: Stream): void {
    this.#waitingBytes -= block.bytes
    const { connection } = sensor
    if (connection instanceof OwnConnection && this.#sensorOf.get(connection)?.stream === stream) {
      if (this.#options.holdAcks) this.#owed.set(connection, block.number)
      else connection.ack(block.number)
    }
    for (const paused of this.#paused) {
      const lane = this.#sensorOf.get(paused)?.stream.lane
      if (this.#overShare(lane)) continue
      this.#paused.delete(paused)
      paused.socket.resume()
    }
  }

  #status(status: Status, connection: OwnConnection): void {
    const found = this.#sensorOf.get(connection)
    if (found === undefined) return
    found.sensor.status = status
    // Statuses come behind the blocks before them: so this is how far the sender has come.
    const { lane } = found.stream
    if (status.untilMicros > 0) lane.until = Math.max(lane.until, status.untilMicros + lane.timeShift)
    this.#wake()
  }

  #ended(connection: Connection, reason: string): void {
    const found = this.#sensorOf.get(connection)
    this.#paused.delete(connection)
    if (connection instanceof OwnConnection) this.#owed.delete(connection)
    if (found === undefined) return
    this.#sensorOf.delete(connection)
    const { sensor, stream } = found
    if (sensor.connection !== connection) return
    sensor.connection = undefined
    sensor.awaySinceMs = Date.now()
    stream.lane.connected = false
    this.#options.onNotice(`${labelOf(sensor.number, sensor.name)} is gone: ${reason}.`, 'warning')
    this.#wake()
  }

  /** For a consumer that holds them: what may be acknowledged as of now, to be called when that is safe. */
  acknowledgements(): () => void {
    const owed = [...this.#owed]
    this.#owed.clear()
    return () => {
      for (const [connection, number] of owed) connection.ack(number)
    }
  }

  /** Every sensor that was here, for status commands and metrics. */
  sensors(): SensorState[] {
    const nowMicros = Date.now() * 1000
    return [...this.#sensors.values()].map((sensor) => {
      const { connection, status } = sensor
      const own = connection instanceof OwnConnection ? connection : undefined
      const skewMicros = connection?.skewMicros
      return {
        sensorId: sensor.number > 0 ? sensor.number : undefined,
        name: sensor.name,
        address: sensor.address,
        connected: connection !== undefined,
        protocol: connection instanceof ClassicConnection ? 'voipmonitor' : 'earshot',
        encrypted: connection?.encrypted ?? false,
        packets: sensor.packets,
        blocks: sensor.blocks,
        bytes: sensor.bytes,
        skewMs: skewMicros === undefined ? undefined : Math.round(skewMicros / 1000),
        roundTripMs: own === undefined ? undefined : Math.round(own.roundTripMicros / 1000),
        lagMs:
          status === undefined || status.oldestMicros === 0
            ? undefined
            : Math.max(0, Math.round((nowMicros - (skewMicros ?? 0) - status.oldestMicros) / 1000)),
        waitingHere: {
          packets: sensor.streams.reduce((sum, { lane }) => sum + lane.packets, 0),
          bytes: sensor.streams.reduce((sum, { lane }) => sum + lane.bytes, 0),
        },
        gaps: sensor.gaps,
        duplicates: sensor.duplicates,
        sender: status,
      }
    })
  }

  progress() {
    return { bytes: this.#bytes, total: undefined }
  }

  /** Ends all connections, after their last acknowledgements. */
  async close(): Promise<void> {
    this.#server.close()
    for (const connection of [...this.#sensorOf.keys()]) {
      this.#sensorOf.delete(connection)
      if (connection instanceof OwnConnection) connection.finish('this receiver has ended')
      else connection.end('this receiver has ended')
    }
    for (let waitedMs = 0; this.#sockets.size > 0 && waitedMs < CLOSE_MS; waitedMs += 10) await pause(10)
    for (const socket of this.#sockets) socket.destroy()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

/** A sender without a number is known by its stream. */
const anonymousKey = (stream: string): string => `stream ${stream}`
const labelOf = (number: number, name: string): string => `Sensor ${number > 0 ? number : '(no id)'}${name === '' ? '' : ` ${clean(name)}`}`
/** A name from the network, safe for a terminal. */
const clean = (text: string): string => text.replace(/[^\x20-\x7e\u00a0-\uffff]/g, '?')
const clockText = (skewMicros: number): string =>
  `${Math.abs(skewMicros / 1e6).toFixed(1)} s ${skewMicros > 0 ? 'behind' : 'ahead of'} ours`
