/** VoIPmonitor's code books: texts kept once, and their ids in the rows of calls. */
export interface Book {
  readonly name: BookName
  readonly help: string
  readonly idType: string
  /** The column of the text, and its type. */
  readonly column: string
  readonly type: string
  /** cdr_reason keeps two kinds apart by a column of this name. */
  readonly kind?: string
  /** VoIPmonitor's name of the unique index. */
  readonly index: string
}

export type BookName = 'cdr_sip_response' | 'cdr_sip_request' | 'cdr_ua' | 'cdr_reason'

export const books: readonly Book[] = [
  {
    name: 'cdr_sip_response',
    help: 'Response lines.',
    idType: 'mediumint(8) unsigned',
    column: 'lastSIPresponse',
    type: 'varchar(255)',
    index: 'lastSIPresponse',
  },
  {
    name: 'cdr_sip_request',
    help: 'Methods.',
    idType: 'mediumint(8) unsigned',
    column: 'request',
    type: 'varchar(255)',
    index: 'request',
  },
  { name: 'cdr_ua', help: 'User agents.', idType: 'int(10) unsigned', column: 'ua', type: 'varchar(512)', index: 'ua' },
  {
    name: 'cdr_reason',
    help: 'Texts of the header Reason; type 1 SIP, 2 Q.850.',
    idType: 'mediumint(8) unsigned',
    column: 'reason',
    type: 'varchar(255)',
    kind: 'type',
    index: 'type_reason',
  },
]

/** A text that a code book turns into an id. */
export interface BookValue {
  readonly book: BookName
  readonly text: string
  /** cdr_reason tells SIP (1) from Q.850 (2). */
  readonly type?: number
}

/** The key under which a text is remembered. */
export const bookKey = ({ book, text, type }: BookValue): string => `${book}\0${type ?? ''}\0${text}`

export const isBookValue = (value: unknown): value is BookValue => value !== null && typeof value === 'object' && 'book' in value

/** What is known of texts, usually their ids: asked several times a record, so no key is put together. */
export class KnownTexts<T> {
  readonly #books = new Map<string, Map<string, T>[]>(books.map(({ name }) => [name, [new Map(), new Map(), new Map()]]))
  size = 0

  get({ book, type = 0, text }: BookValue): T | undefined {
    return this.#books.get(book)?.[type]?.get(text)
  }

  set({ book, type = 0, text }: BookValue, known: T): void {
    const texts = this.#books.get(book)?.[type]
    if (texts === undefined) throw new Error(`There is no code book ${book} of type ${type}.`)
    const before = texts.size
    texts.set(text, known)
    this.size += texts.size - before
  }

  clear(): void {
    for (const kinds of this.#books.values()) for (const texts of kinds) texts.clear()
    this.size = 0
  }
}
