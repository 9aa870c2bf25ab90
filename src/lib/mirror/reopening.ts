import type { Target } from './packet-writer.js'

/**
 * The wish that a file be opened anew, because somebody has moved it away (logrotate). It is granted by whoever writes, between
 * two pieces that stand for themselves.
 */
export class Reopening {
  #asked: { resolve(name: string | undefined): void; reject(error: unknown): void }[] = []

  get wanted(): boolean {
    return this.#asked.length > 0
  }

  /** Resolves with the file's name; undefined when it is still where it was, or is no file. */
  ask(): Promise<string | undefined> {
    return new Promise((resolve, reject) => this.#asked.push({ resolve, reject }))
  }

  /** Answers whether what follows goes to another file. When that cannot be opened, the old one stays. */
  async grant(target: Target): Promise<boolean> {
    let name: string | undefined
    let failure: unknown
    try {
      name = await target.reopen()
    } catch (error) {
      failure = error
    }
    for (const { resolve, reject } of this.#asked.splice(0)) {
      if (failure === undefined) resolve(name)
      else reject(failure)
    }
    return name !== undefined
  }
}
