import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'

/** The service manager's end of NOTIFY_SOCKET: a real datagram socket, held by Python because Node has none. */
const program = `
import socket, sys, json, time
path = sys.argv[1]
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind('\\0' + path[1:] if path.startswith('@') else path)
print(json.dumps({'bound': True}), flush=True)
while True:
    text = s.recv(65536).decode()
    print(json.dumps({'text': text, 'monotonicMicros': time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}), flush=True)
`

export interface Notification {
  readonly text: string
  readonly monotonicMicros: number
}

export class NotifySocket {
  readonly path: string
  readonly heard: Notification[] = []
  readonly #child: ChildProcess
  readonly #bound: Promise<void>
  #wake: () => void = () => {}

  constructor(path: string) {
    this.path = path
    this.#child = spawn('python3', ['-c', program, path], { stdio: ['ignore', 'pipe', 'inherit'] })
    this.#bound = new Promise((resolve) => {
      createInterface({ input: this.#child.stdout! }).on('line', (line) => {
        const message = JSON.parse(line) as Notification & { bound?: true }
        if (message.bound === true) resolve()
        else this.heard.push(message)
        this.#wake()
      })
    })
  }

  async bound(): Promise<this> {
    await this.#bound
    return this
  }

  /** Resolves with the first notification from the `from`-th on that fits. */
  async until(what: RegExp, from = 0): Promise<Notification> {
    for (;;) {
      const found = this.heard.slice(from).find(({ text }) => what.test(text))
      if (found !== undefined) return found
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  close(): void {
    this.#child.kill('SIGKILL')
  }
}
