import { exitCodes, OperatorError } from '../lib/base/errors.js'
import type { CallJson } from '../lib/call/json.js'
import { callFiles, expiryOf } from '../lib/spool/find.js'

/** A call's packets in the spool of this host: its files, or why there are none. */
export interface LocalPcap {
  readonly files: readonly string[]
  /** Only its signalling is left: what the operator should know. */
  readonly note: string | undefined
}

/** Throws an OperatorError: nothing was kept (3), it is gone (6). */
export function localPcap(spool: string, call: CallJson, id: string): LocalPcap {
  if (call.pcap === null) {
    throw new OperatorError('NO_PCAP', `No packets were kept of call "${id}".`, {
      exit: exitCodes.notFound,
      suggestions: ['sniff keeps them with --spool DIR (and unless --save none).'],
    })
  }
  const files = callFiles(spool, call.pcap)
  const calls = expiryOf(spool, call.pcap, 'calls')
  if (files.length === 0) {
    if (calls !== undefined) {
      throw new OperatorError('EXPIRED', `The packets of call "${id}" are gone since ${calls.at} (${calls.why}).`, {
        exit: exitCodes.expired,
        suggestions: [`Its record stays: earshot cdr show ${id}`, 'earshot spool plan shows what the limits are and what goes next.'],
      })
    }
    throw new OperatorError('EXPIRED', `The packets of call "${id}" are gone: "${call.pcap}" is not in the spool "${spool}".`, {
      exit: exitCodes.expired,
      suggestions: ['Somebody has deleted them, or the spool is another: --spool DIR'],
    })
  }
  const media = expiryOf(spool, call.pcap, 'media')
  return {
    files,
    note: media && `Its media are gone since ${media.at} (${media.why}); the signalling is here.`,
  }
}
