import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { CallJson } from '../lib/call/json.js'
import { addressText } from '../lib/manager/index.js'
import { type CallFile, readCallFile } from './call-file.js'
import { CallPackets } from './call-packets.js'
import type { AccessFlags } from './manager-access.js'
import { listedSensors } from './sensor-list.js'
import { fileSink } from './sinks.js'

/**
 * What the sensor of a call holds of it, brought here for a look and not kept. Answers why that cannot be, as text; undefined
 * when the list of sensors does not say where it is.
 */
export async function readDistantCallFile(
  call: CallJson,
  { spool, store, access }: { readonly spool: string; readonly store: string; readonly access: AccessFlags },
): Promise<CallFile | string | undefined> {
  const directory = mkdtempSync(join(tmpdir(), 'earshot-show-'))
  const packets = new CallPackets({
    spool,
    sipOnly: false,
    sensor: undefined,
    allSensors: false,
    access,
    // Who may read records may not always read the list; then it names nobody.
    sensors: () => listedSensors(store).catch(() => []),
    temporary: () => directory,
    onProgress: () => {},
    say: (text) => process.stderr.write(`${text}\n`),
  })
  try {
    const address = await packets.sensorOf(call)
    if (address === undefined) return undefined
    const file = join(directory, 'call.pcap')
    const sink = fileSink(file)
    try {
      await packets.fetch(call, sink)
      await sink.commit()
    } catch (error) {
      await sink.discard()
      return `No packets: ${(error as Error).message}`
    }
    return { ...(await readCallFile([file], call)), paths: [`${addressText(address)}/${call.pcap}`] }
  } finally {
    packets.close()
    rmSync(directory, { recursive: true, force: true })
  }
}
