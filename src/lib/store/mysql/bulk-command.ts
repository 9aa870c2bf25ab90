/**
 * COM_STMT_BULK_EXECUTE as a command of mysql2, which lacks it: a prepared statement is executed once for each row of one
 * packet (bulk-rows.ts). This uses what mysql2 does not document, so it is looked for, and without it rows go as text;
 * test/lib/store/mysql.test.ts says when a new mysql2 no longer has it.
 */
export class BulkCommand {
  readonly #packet: Uint8Array
  readonly #onDone: (error: Error | null, ids: readonly number[]) => void
  readonly #timer: NodeJS.Timeout | undefined
  readonly #ids: number[] = []
  #state: 'new' | 'sent' | 'columns' | 'rows' = 'new'
  #idBytes: number | undefined
  /** What is wrong with the answer: told when it is over, for the packets that follow are of it still. */
  #wrong: Error | undefined

  constructor(packet: Uint8Array, timeoutMs: number, onDone: (error: Error | null, ids: readonly number[]) => void) {
    this.#packet = packet
    this.#onDone = onDone
    if (timeoutMs > 0) this.#timer = setTimeout(() => this.onResult(inactivity()), timeoutMs)
  }

  /** Called by mysql2: without a packet when it is our turn, then with each packet of the answer. True when that was the last. */
  execute(packet: ServerPacket | undefined, connection: RawConnection): boolean {
    if (this.#state === 'new' || packet === undefined) {
      this.#state = 'sent'
      connection._resetSequenceId()
      connection._bumpSequenceId(1)
      connection.write(this.#packet)
      return false
    }
    if (packet.isError()) {
      this.onResult(packet.asError(connection.clientEncoding))
      return true
    }
    if (this.#state === 'sent') {
      // 0 is an OK; a number of columns announces rows, those of RETURNING.
      if (packet.buffer[packet.offset] === 0) return this.#done()
      this.#state = 'columns'
      return false
    }
    if (packet.isEOF()) {
      if (this.#state === 'rows') return this.#done()
      this.#state = 'rows'
      return false
    }
    if (this.#state === 'columns') this.#readColumn(packet)
    else this.#readId(packet)
    return false
  }

  /** The end of a column definition is of fixed length: … type[1] flags[2] decimals[1] filler[2]. */
  #readColumn({ buffer, end }: ServerPacket): void {
    const type = buffer[end - 6] as number
    const another = this.#idBytes !== undefined
    this.#idBytes = idBytes.get(type)
    if (another || this.#idBytes === undefined) this.#wrong = unreadable(another ? 'more than one column' : `a column of type ${type}`)
  }

  /** A binary row: a zero, a byte of NULL bits, the id in the width of its type. */
  #readId({ buffer, offset, end }: ServerPacket): void {
    if (this.#wrong !== undefined) return
    const at = offset + 2
    if (end - at !== this.#idBytes) this.#wrong = unreadable(`a row of ${end - offset} bytes`)
    else this.#ids.push(this.#idBytes === 4 ? buffer.readUInt32LE(at) : Number(buffer.readBigUInt64LE(at)))
  }

  /** Called by mysql2 when the connection is lost. */
  onResult(error: Error): void {
    clearTimeout(this.#timer)
    this.#onDone(error, [])
  }

  #done(): true {
    clearTimeout(this.#timer)
    this.#onDone(this.#wrong ?? null, this.#ids)
    return true
  }
}

/** How wide the id in a row is: LONG is `int` (VoIPmonitor's older tables), LONGLONG `bigint`. */
const idBytes: ReadonlyMap<number, number> = new Map([
  [3, 4],
  [8, 8],
])

/** The code of an error about an answer that does not hold the ids we asked for. */
export const UNREADABLE = 'BULK_ANSWER'

const unreadable = (what: string): Error => Object.assign(new Error(`The ids of a bulk INSERT came as ${what}`), { code: UNREADABLE })

/** As mysql2 says it of a query. */
export const inactivity = (): Error => Object.assign(new Error('Query inactivity timeout'), { code: 'PROTOCOL_SEQUENCE_TIMEOUT' })

interface ServerPacket {
  readonly buffer: Buffer
  readonly offset: number
  /** Where it ends in `buffer`. */
  readonly end: number
  isError(): boolean
  isEOF(): boolean
  asError(encoding: string): Error
}

/** What we use of a connection of mysql2 beyond its documented interface. */
export interface RawConnection {
  readonly clientEncoding: string
  /** Until the server has greeted and we have answered, this is the handshake. */
  readonly _command?: Handshake
  readonly _handshakePacket?: { readonly serverVersion?: string; readonly mariadbExtendedCapabilityFlags?: number }
  _resetSequenceId(): void
  _bumpSequenceId(packets: number): void
  write(bytes: Uint8Array): void
  addCommand(command: BulkCommand): void
}

/** What we tell the server that we can. */
export interface Handshake {
  readonly clientFlags?: number
  mariadbExtendedClientFlags?: unknown
}

/** MARIADB_CLIENT_STMT_BULK_OPERATIONS, in the upper half of the capabilities. */
const BULK_OPERATIONS = 4
/** CLIENT_MYSQL, once LONG_PASSWORD: of who says it MariaDB does not read the upper half. mysql2 leaves it out for a server with EXTENDED_METADATA. */
const CLIENT_MYSQL = 1

/** To be called before the server has greeted: says that we speak it. A server of MySQL does not read this. */
export function offerBulk(raw: RawConnection): Handshake | undefined {
  const handshake = raw._command
  if (handshake?.mariadbExtendedClientFlags !== 0 || typeof raw.addCommand !== 'function') return undefined
  handshake.mariadbExtendedClientFlags = BULK_OPERATIONS
  return handshake
}

/** After the greeting: whether the server speaks it too, has read that we do, and has RETURNING (MariaDB 10.5). */
export function speaksBulk(raw: RawConnection, { clientFlags = CLIENT_MYSQL }: Handshake): boolean {
  const { serverVersion = '', mariadbExtendedCapabilityFlags = 0 } = raw._handshakePacket ?? {}
  // 10.11.6-MariaDB-log, 5.5.5-10.6.12-MariaDB, 10.6.12-8-MariaDB-enterprise.
  const [, major, minor] = /(\d+)\.(\d+)\.\d+(?:-\d+)?-MariaDB/i.exec(serverVersion) ?? []
  const hasReturning = Number(major) > 10 || (Number(major) === 10 && Number(minor) >= 5)
  return (clientFlags & CLIENT_MYSQL) === 0 && hasReturning && (mariadbExtendedCapabilityFlags & BULK_OPERATIONS) !== 0
}
