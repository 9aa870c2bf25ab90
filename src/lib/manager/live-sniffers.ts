/**
 * VoIPmonitor's live sniffers: a GUI names the calls that it wants to see while they run, by a number of its own. The
 * parameters are kept and told as it tells them; packets go to our own clients (`packets`), not to a table of the database.
 */
interface Sniffer {
  readonly parameters: string
  readonly timeoutSeconds: number
  readonly startedMs: number
}

const SNIFFERS_MAX = 100
const PARAMETERS_MAX = 10_000

export class LiveSniffers {
  readonly #sniffers = new Map<number, Sniffer>()

  get count(): number {
    this.#expire()
    return this.#sniffers.size
  }

  /** `parameters` is JSON with a `uid`; a second start with one uid changes nothing, as there. */
  start(parameters: string): void {
    this.#expire()
    if (parameters.length > PARAMETERS_MAX || this.#sniffers.size >= SNIFFERS_MAX) return
    let json: { uid?: unknown; timeout?: unknown }
    try {
      json = JSON.parse(parameters) as typeof json
    } catch {
      return
    }
    const uid = Number(json?.uid)
    if (!Number.isInteger(uid) || uid < 0 || this.#sniffers.has(uid)) return
    this.#sniffers.set(uid, { parameters, timeoutSeconds: Number(json.timeout) || 0, startedMs: performance.now() })
  }

  stop(uid: number): void {
    this.#sniffers.delete(uid)
  }

  /** `1 {…}` with its parameters and its age, or `0`. */
  get(uid: number): string {
    this.#expire()
    const sniffer = this.#sniffers.get(uid)
    if (sniffer === undefined) return '0'
    const { parameters, timeoutSeconds, startedMs } = sniffer
    if (timeoutSeconds === 0 || !parameters.endsWith('}')) return `1 ${parameters}`
    const age = Math.floor((performance.now() - startedMs) / 1000)
    return `1 ${parameters.slice(0, -1)},"timeout":${timeoutSeconds},"time":${age}}`
  }

  list(): string {
    this.#expire()
    return `[${[...this.#sniffers.keys()].map((uid) => `{"uid": "${uid}","state":"active"}`).join(',')}]`
  }

  #expire(): void {
    for (const [uid, { timeoutSeconds, startedMs }] of this.#sniffers)
      if (timeoutSeconds > 0 && performance.now() - startedMs > timeoutSeconds * 1000) this.#sniffers.delete(uid)
  }
}
