import { Flags } from '@oclif/core'
import { OperatorError } from '../lib/base/errors.js'
import type { Notice } from '../lib/base/notice.js'
import type { PacketSource } from '../lib/base/packets.js'

/** Where packets come from: the flags of commands that capture, and the source they name. */
export const inputFlags = {
  interface: Flags.string({
    char: 'i',
    aliases: ['device'],
    charAliases: ['d'],
    multiple: true,
    multipleNonGreedy: true,
    delimiter: ',',
    helpGroup: 'INPUT',
    helpValue: 'IFACE',
    summary: 'Interfaces to listen on; "any" means all.',
    exclusive: ['read'],
  }),
  read: Flags.string({
    char: 'r',
    aliases: ['input'],
    charAliases: ['I'],
    multiple: true,
    // Words after the file are the BPF expression, not more files.
    multipleNonGreedy: true,
    helpGroup: 'INPUT',
    helpValue: 'FILE',
    summary: 'Capture file (pcap or pcapng, gzip too), a directory of them, or - for stdin. Repeatable.',
  }),
  'no-promiscuous': Flags.boolean({ char: 'p', helpGroup: 'INPUT', summary: 'Leave the interface out of promiscuous mode.' }),
  snaplen: Flags.integer({
    char: 's',
    default: 65_535,
    min: 96,
    max: 262_144,
    helpGroup: 'INPUT',
    summary: 'Bytes kept of each packet.',
  }),
}

export interface InputFlags {
  readonly interface?: string[] | undefined
  readonly read?: string[] | undefined
  readonly 'no-promiscuous': boolean
  readonly snaplen: number
}

/** Opens the interfaces or the files. Throws an OperatorError. */
export async function openInput(
  command: string,
  flags: InputFlags,
  options: { ringBytes: number; expression: string; onNotice: Notice },
): Promise<PacketSource> {
  if (flags.interface !== undefined) {
    const { openLive } = await import('../lib/capture/live-source.js')
    return openLive({
      interfaces: flags.interface,
      ringBytes: options.ringBytes,
      snaplenBytes: flags.snaplen,
      promiscuous: !flags['no-promiscuous'],
      expression: options.expression,
      onNotice: options.onNotice,
    })
  }
  if (flags.read === undefined || flags.read.length === 0) {
    throw new OperatorError('NO_INPUT', 'Nothing to listen to: neither -i nor -r was given.', {
      exit: 2,
      suggestions: [`A capture file: earshot ${command} -r call.pcap`, `An interface: sudo earshot ${command} -i any`],
    })
  }
  const { openFiles } = await import('../lib/capture/file-source.js')
  return openFiles(flags.read)
}
