import { existsSync, readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { makeDirectory } from '../native/make-directory.js'
import { writeSecret } from './tokens.js'

/**
 * Fingerprints of services as a client has seen them first, like ssh's known_hosts: one line an address,
 * `HOST:PORT sha256:hex`. A service that shows another certificate later is not spoken to.
 */
export class KnownServers {
  readonly #file: string

  constructor(file: string) {
    this.#file = file
  }

  get(address: string): string | undefined {
    return this.#read().get(address)
  }

  set(address: string, fingerprint: string): void {
    const known = this.#read().set(address, fingerprint)
    makeDirectory(dirname(this.#file))
    writeSecret(this.#file, [...known].map(([a, f]) => `${a} ${f}\n`).join(''))
  }

  get file(): string {
    return this.#file
  }

  #read(): Map<string, string> {
    if (!existsSync(this.#file)) return new Map()
    const lines = readFileSync(this.#file, 'utf8').split('\n')
    return new Map(
      lines.map((line) => line.trim().split(/\s+/)).filter((w): w is [string, string] => w.length === 2 && !w[0]?.startsWith('#')),
    )
  }
}
