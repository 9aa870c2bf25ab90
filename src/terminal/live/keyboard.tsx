import { Writable } from 'node:stream'
import type { Instance } from 'ink'
import { useEffect } from 'react'
import { type Key, readKeys, restKeys } from './keys.js'

/** The keyboard, which is Ink's: raw mode, reading, and the end of it. Loaded after the first frame stands, for it takes its time. */
/** A lone ESC is the key when nothing follows for so long; over a slow line the rest of a sequence may be late. */
const ESCAPE_MS = 50

type Ink = typeof import('ink')

/** Ink is handed in: it waits at its top, so it cannot be a part of the built program, which is CommonJS. */
export function openKeyboard({ render, useStdin }: Ink, onKeys: (keys: readonly Key[]) => void): Instance {
  return render(<Keyboard onKeys={onKeys} useStdin={useStdin} />, { stdout: silent(), exitOnCtrlC: false, patchConsole: false })
}

interface KeyboardProps {
  readonly onKeys: (keys: readonly Key[]) => void
  readonly useStdin: Ink['useStdin']
}

function Keyboard({ onKeys, useStdin }: KeyboardProps): null {
  const { setRawMode, internal_eventEmitter: events } = useStdin()
  useEffect(() => {
    let rest = ''
    let timer: NodeJS.Timeout | undefined
    const flush = (): void => {
      const keys = restKeys(rest)
      rest = ''
      if (keys.length > 0) onKeys(keys)
    }
    const take = (input: string): void => {
      clearTimeout(timer)
      const read = readKeys(rest + input)
      rest = read.rest
      if (read.keys.length > 0) onKeys(read.keys)
      if (rest !== '') timer = setTimeout(flush, ESCAPE_MS)
    }
    events.on('input', take)
    setRawMode(true)
    return () => {
      clearTimeout(timer)
      events.off('input', take)
      setRawMode(false)
    }
  }, [events, setRawMode, onKeys])
  return null
}

/** What Ink would draw goes nowhere. */
function silent(): NodeJS.WriteStream {
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() })
  return Object.assign(nowhere, { columns: 80, rows: 24, isTTY: false }) as unknown as NodeJS.WriteStream
}
