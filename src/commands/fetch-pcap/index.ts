import { createReadStream, existsSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { Args, Flags } from '@oclif/core'
import { exitCodes, OperatorError } from '../../lib/base/errors.js'
import type { CallJson } from '../../lib/call/json.js'
import { type Sink, tarEnd, tarHeader, tarPadding } from '../../lib/manager/index.js'
import { safeName } from '../../lib/spool/index.js'
import { packetsOf } from '../../lib/spool/packets.js'
import { openReader } from '../../lib/store/index.js'
import { BaseCommand } from '../../terminal/base-command.js'
import { CallPackets, nameOf } from '../../terminal/call-packets.js'
import { readableState } from '../../terminal/defaults.js'
import { fetchProgress } from '../../terminal/fetch-progress.js'
import { findCall } from '../../terminal/find-call.js'
import { accessFlags } from '../../terminal/manager-access.js'
import { expressionOf, queryFlags } from '../../terminal/query-flags.js'
import { listedSensors } from '../../terminal/sensor-list.js'
import { fileSink, stdoutSink } from '../../terminal/sinks.js'
import { sizeText } from '../../terminal/size.js'
import { readsBoth, spoolFlag, storeFlags } from '../../terminal/store-flags.js'

/** Calls fetched at a time. */
const AT_ONCE = 4

/** `earshot fetch-pcap`: packets of calls, from the spool here or from the sensor that saw them. */
export default class FetchPcap extends BaseCommand {
  static override summary = 'Get the packets of calls as a pcap, from wherever they are kept.'
  static override description =
    `The packets of a call stay on the sensor that saw it. This finds the record, asks that sensor (its address is in the list of
sensors: earshot sensor add), checks what comes against its checksum, and goes on where it was when the connection breaks.
Several calls become one pcap in order of time, or with -w FILE.tar an archive of one pcap each.
A sensor that is a real VoIPmonitor is asked in its own protocol: --sensor voipmonitor://HOST.
Whatever lies in a spool comes as one capture in order of time; a call seen on interfaces of two kinds comes as pcapng.
Exit codes: 3 no such call, or nothing was kept of it; 4 some of it only; 5 the sensor does not answer; 6 its packets are gone.`
  static override examples = [
    { description: 'To a file', command: '<%= config.bin %> <%= command.id %> 4711 -w call.pcap' },
    { description: 'Straight into another tool', command: '<%= config.bin %> <%= command.id %> 4711 | tshark -r - -q -z rtp,streams' },
    {
      description: 'The bad calls of an hour',
      command: "<%= config.bin %> <%= command.id %> --where 'mos < 3 and started > -1h' -w bad.tar",
    },
    {
      description: 'From a VoIPmonitor sensor',
      command: '<%= config.bin %> <%= command.id %> 4711 --sensor voipmonitor://10.0.0.5 -w call.pcap',
    },
  ]
  static override strict = false
  static override args = {
    id: Args.string({ description: 'Number of the record (cdr query shows it), or a Call-ID. Several may be given.' }),
  }
  static override configurable = () => readsBoth
  static override flags = {
    where: queryFlags.where,
    limit: Flags.integer({ char: 'l', min: 1, default: 1000, helpGroup: 'FILTER', summary: 'Of what --where finds, at most this many.' }),
    ...storeFlags,
    ...spoolFlag,
    sensor: Flags.string({
      helpValue: 'NAME|ADDRESS',
      summary: 'Ask this one, whatever the record says: a name or a number of the list, HOST[:PORT], unix:PATH, voipmonitor://HOST[:PORT].',
    }),
    'all-sensors': Flags.boolean({
      exclusive: ['sensor'],
      summary: 'Ask all sensors on the list, in parallel; the first that has it gives it. Exit code 4 when one could not be asked.',
    }),
    write: Flags.string({
      char: 'w',
      aliases: ['output'],
      charAliases: ['O'],
      default: '-',
      helpValue: 'FILE',
      summary: 'Where to; - is stdout. FILE.tar: one pcap a call.',
    }),
    tries: Flags.integer({
      min: 1,
      max: 1000,
      default: 5,
      summary: 'When the connection breaks: how often it is opened anew without a byte coming.',
    }),
    'sip-only': Flags.boolean({ summary: 'Leave the media out.' }),
    force: Flags.boolean({ summary: 'Replace FILE when it exists.' }),
    quiet: Flags.boolean({ char: 'q', summary: 'No progress on stderr.' }),
    ...accessFlags,
  }

  async run(): Promise<void> {
    const { flags, argv } = await this.parse(FetchPcap)
    const ids = argv as string[]
    const { write } = flags
    this.#check(ids, flags)
    const state = readableState(flags.store)
    const storeUrl = flags.store ?? state.store
    const calls = await this.#calls(storeUrl, ids, flags)
    const beside = write === '-' ? tmpdir() : dirname(write)
    const progress = fetchProgress(flags.quiet ? ({ isTTY: false } as NodeJS.WriteStream) : process.stderr)
    const say = (text: string): void => {
      progress.clear()
      process.stderr.write(`${text}\n`)
    }
    const packets = new CallPackets({
      spool: flags.spool ?? state.spool,
      sipOnly: flags['sip-only'],
      sensor: flags.sensor,
      allSensors: flags['all-sensors'],
      triesMax: flags.tries,
      access: flags,
      sensors: once(() => listedSensors(storeUrl)),
      temporary: () => beside,
      onProgress: (bytes, total) => progress.update(bytes, total),
      say,
    })
    try {
      const [only] = calls
      if (calls.length === 1 && only !== undefined && !write.endsWith('.tar'))
        this.#note(await this.#into(write, (sink) => packets.fetch(only, sink)))
      else await this.#several(calls, packets, write, beside, say)
      // For a person who watches; a program looks at the exit code.
      if (write !== '-' && !flags.quiet && process.stderr.isTTY) say(`${write}: ${sizeText(statSync(write).size)}`)
    } finally {
      progress.clear()
      packets.close()
    }
  }

  #check(ids: readonly string[], { write, force, where }: { write: string; force: boolean; where?: string[] | undefined }): void {
    if ((ids.length === 0) === (where === undefined)) {
      throw new OperatorError('WHICH', ids.length === 0 ? 'Which call?' : 'Name calls, or ask for them with --where, not both.', {
        exit: exitCodes.usage,
        suggestions: ['earshot fetch-pcap 4711 -w call.pcap', "earshot fetch-pcap --where 'mos < 3 and started > -1h' -w bad.tar"],
      })
    }
    const what = ids[0] ?? "--where '…'"
    if (write === '-' && process.stdout.isTTY) {
      throw new OperatorError('BINARY', 'A pcap would only upset this terminal.', {
        exit: exitCodes.usage,
        suggestions: [
          `Write it to a file: earshot fetch-pcap ${what} -w call.pcap`,
          ...(ids[0] === undefined ? [] : [`Or look at the call: earshot cdr show ${ids[0]}`]),
        ],
      })
    }
    if (write !== '-' && !force && existsSync(write)) {
      throw new OperatorError('EXISTS', `"${write}" exists already.`, { suggestions: ['Give another name, or --force to replace it.'] })
    }
  }

  async #calls(
    storeUrl: string,
    ids: readonly string[],
    { where, limit }: { where?: string[] | undefined; limit: number },
  ): Promise<CallJson[]> {
    const store = await openReader(storeUrl)
    try {
      if (where === undefined) {
        const found: CallJson[] = []
        for (const id of ids) found.push(await findCall(store, id))
        return found
      }
      const found: CallJson[] = []
      const expression = expressionOf({ where })
      for await (const call of store.find({ ...(expression && { where: expression }), limit, lists: false })) found.push(call)
      if (found.length > 0) return found
      throw new OperatorError('NOT_FOUND', 'No call fits.', {
        exit: exitCodes.notFound,
        suggestions: ['earshot cdr query --where … shows what does.'],
      })
    } finally {
      await store.close()
    }
  }

  /** Something is there, but not all: told, and exit code 4. */
  #note(note: string | undefined): void {
    if (note === undefined) return
    process.stderr.write(`${note}\n`)
    process.exitCode = exitCodes.partial
  }

  /** Into a file that appears only when it is whole, or to stdout. */
  async #into<T>(write: string, work: (sink: Sink) => Promise<T>): Promise<T> {
    if (write === '-') return work(stdoutSink)
    const sink = fileSink(write)
    try {
      const result = await work(sink)
      await sink.commit()
      return result
    } catch (error) {
      await sink.discard()
      throw error
    }
  }

  async #several(
    calls: readonly CallJson[],
    packets: CallPackets,
    write: string,
    beside: string,
    say: (text: string) => void,
  ): Promise<void> {
    const directory = mkdtempSync(join(beside, '.earshot-calls-'))
    try {
      const failures: unknown[] = []
      const got: { call: CallJson; file: string }[] = []
      const waiting = calls.map((call, i) => ({ call, file: join(directory, String(i)) }))
      const work = async (): Promise<void> => {
        for (let job = waiting.shift(); job !== undefined; job = waiting.shift()) {
          const { call, file } = job
          try {
            const note = await this.#into(file, (sink) => packets.fetch(call, sink))
            got.push(job)
            if (note !== undefined) this.#note(`${nameOf(call)}: ${note}`)
          } catch (error) {
            failures.push(error)
            say(`${nameOf(call)}: ${(error as Error).message}`)
          }
        }
      }
      await Promise.all(Array.from({ length: AT_ONCE }, work))
      if (got.length === 0) throw failures[0]
      got.sort((a, b) => calls.indexOf(a.call) - calls.indexOf(b.call))
      await this.#into(write, (sink) =>
        write.endsWith('.tar')
          ? archive(got, sink)
          : merged(
              got.map((g) => g.file),
              directory,
              sink,
            ),
      )
      if (failures.length > 0) {
        process.stderr.write(`Packets of ${got.length} of ${calls.length} calls.\n`)
        process.exitCode = exitCodes.partial
      }
    } finally {
      rmSync(directory, { recursive: true, force: true })
    }
  }
}

/** Captures merged at a time: so many files are open at once. More are merged in rounds. */
const MERGE_MAX = 200

async function merged(files: readonly string[], directory: string, sink: Sink): Promise<void> {
  let round = files
  for (let n = 0; round.length > MERGE_MAX; n++) {
    const next: string[] = []
    for (let i = 0; i < round.length; i += MERGE_MAX) {
      const file = join(directory, `round-${n}-${next.length}`)
      const part = fileSink(file)
      for await (const chunk of packetsOf(round.slice(i, i + MERGE_MAX))) await part.write(chunk)
      await part.commit()
      next.push(file)
    }
    round = next
  }
  for await (const chunk of packetsOf(round)) await sink.write(chunk)
}

async function archive(got: readonly { call: CallJson; file: string }[], sink: Sink): Promise<void> {
  for (const { call, file } of got) {
    const { size } = statSync(file)
    const name = `${call.id ?? 0}_${safeName(call.call_id).slice(0, 80)}.pcap`
    await sink.write(tarHeader(name, size, Math.floor(Date.parse(call.started) / 1000)))
    await copy(file, sink)
    await sink.write(tarPadding(size))
  }
  await sink.write(tarEnd())
}

async function copy(file: string, sink: Sink): Promise<void> {
  for await (const chunk of createReadStream(file, { highWaterMark: 256 * 1024 })) await sink.write(chunk as Uint8Array)
}

function once<T>(work: () => Promise<T>): () => Promise<T> {
  let result: Promise<T> | undefined
  return () => {
    result ??= work()
    return result
  }
}
