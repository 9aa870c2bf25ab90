import { Flags } from '@oclif/core'
import { OperatorError } from '../lib/base/errors.js'
import type { Notice } from '../lib/base/notice.js'
import type { PacketSource } from '../lib/base/packets.js'
import { captureSettings } from '../lib/settings/capture.js'
import type { ValuesOf } from '../lib/settings/table.js'
import { flagsFor } from './setting-flags.js'

/** Where packets come from: the flags of commands that capture, and the source they name. */
export const readOptions = {
  char: 'r' as const,
  aliases: ['input'],
  charAliases: ['I' as const],
  multiple: true as const,
  // Words after the file are the BPF expression, not more files.
  multipleNonGreedy: true as const,
  helpGroup: 'INPUT',
  helpValue: 'FILE',
  summary: 'Capture file (pcap or pcapng, gzip too), a directory of them, or - for stdin. Repeatable.',
}

export const inputFlags = { ...flagsFor(captureSettings, 'INPUT'), read: Flags.string(readOptions) }

export type InputSettings = ValuesOf<typeof captureSettings>

/** The words of the command line, else the setting. */
export const filterOf = (words: readonly string[], settings: InputSettings): string =>
  words.length > 0 ? words.join(' ') : (settings.filter ?? '')

/** An instance that is told no interface listens on the one it is named after: `earshot-sniff@eth1`. */
export const interfacesOfInstance = <S extends InputSettings>(
  settings: S,
  { read, instance }: { readonly read?: unknown; readonly instance?: string | undefined },
): S => (settings.interface.length > 0 || read !== undefined || instance === undefined ? settings : { ...settings, interface: [instance] })

/** Opens the interfaces or the files. Throws an OperatorError. */
export async function openInput(
  command: string,
  settings: InputSettings,
  options: { read: readonly string[] | undefined; expression: string; onNotice: Notice },
): Promise<PacketSource> {
  if (settings.interface.length > 0) {
    const { openLive } = await import('../lib/capture/live-source.js')
    return openLive({
      interfaces: settings.interface,
      ringBytes: settings.ringbuffer,
      snaplenBytes: settings.snaplen,
      promiscuous: settings.promisc,
      expression: options.expression,
      onNotice: options.onNotice,
    })
  }
  if (options.read === undefined || options.read.length === 0) {
    throw new OperatorError('NO_INPUT', 'Nothing to listen to: neither -i nor -r was given.', {
      exit: 2,
      suggestions: [
        `A capture file: earshot ${command} -r call.pcap`,
        `An interface: sudo earshot ${command} -i any`,
        'In a configuration file: interface = eth0',
      ],
    })
  }
  const { openFiles } = await import('../lib/capture/file-source.js')
  return openFiles(options.read)
}
