import { type Book, type BookName, type BookValue, bookKey, books, KnownTexts } from '../books.js'
import { type Connection, retried } from './driver.js'
import { name, quote } from './sql.js'

/** Texts remembered with their ids; when there are too many, all are forgotten and asked for again. */
const CACHE_MAX = 20_000

const byName = new Map<BookName, Book>(books.map((book) => [book.name, book]))

export class CodeBooks {
  readonly #ids = new KnownTexts<number | null>()

  /** One at a time: two that add the same texts would wait for each other. */
  #turn: Promise<void> = Promise.resolve()

  /** Looks up, and adds, what is not known yet. Outside a transaction: ids are kept when the batch is rolled back, and no lock is held. */
  learn(db: Connection, wanted: readonly BookValue[]): Promise<void> {
    const turn = this.#turn.then(() => retried(db, () => this.#learn(db, wanted)))
    this.#turn = turn.catch(() => {})
    return turn
  }

  async #learn(db: Connection, wanted: readonly BookValue[]): Promise<void> {
    const unknown = new Map<string, BookValue>()
    for (const value of wanted) if (this.#ids.get(value) === undefined) unknown.set(bookKey(value), value)
    if (unknown.size === 0) return
    if (this.#ids.size > 0 && this.#ids.size + unknown.size > CACHE_MAX) {
      this.#ids.clear()
      return this.#learn(db, wanted)
    }
    const groups = new Map<string, BookValue[]>()
    for (const value of unknown.values()) {
      const group = `${value.book} ${value.type ?? ''}`
      groups.set(group, [...(groups.get(group) ?? []), value])
    }
    for (const values of groups.values()) await this.#learnGroup(db, values)
  }

  /** Undefined before it was learned; null for a text that the book could not take (its ids are used up, or its letters are not the server's). */
  id(value: BookValue): number | null | undefined {
    return this.#ids.get(value)
  }

  async #learnGroup(db: Connection, values: readonly BookValue[]): Promise<void> {
    const { book: bookName, type } = values[0] as BookValue
    const book = byName.get(bookName) as Book
    const kind = book.kind === undefined ? '' : `${name(book.kind)} = ${type ?? 0} AND `
    const find = async (missing: readonly BookValue[]): Promise<BookValue[]> => {
      const rows = await db.rows<{ id: number; text: string }>(
        `SELECT id, ${name(book.column)} AS text FROM ${name(book.name)} WHERE ${kind}${name(book.column)} IN (${missing.map((v) => quote(v.text)).join(', ')})`,
      )
      const found = new Map(rows.map(({ id, text }) => [text, id]))
      return missing.filter((value) => {
        const id = found.get(value.text)
        if (id !== undefined) this.#ids.set(value, id)
        return id === undefined
      })
    }
    // First a look: INSERT IGNORE uses up an id for each text that is there, and some books have only 16 million.
    let missing = await find(values)
    if (missing.length === 0) return
    const row = (value: BookValue): string => `(${book.kind === undefined ? '' : `${type ?? 0}, `}${quote(value.text)})`
    const columns = `${book.kind === undefined ? '' : `${name(book.kind)}, `}${name(book.column)}`
    await db.run(`INSERT IGNORE INTO ${name(book.name)} (${columns}) VALUES ${missing.map(row).join(', ')}`)
    missing = await find(missing)
    // VoIPmonitor's books do not tell upper case from lower: such a text has the id of its twin.
    for (const value of missing) {
      const [twin] = await db.rows<{ id: number }>(
        `SELECT id FROM ${name(book.name)} WHERE ${kind}${name(book.column)} = ${quote(value.text)} LIMIT 1`,
      )
      this.#ids.set(value, twin?.id ?? null)
    }
  }
}
