/** Archives in the ustar form (POSIX.1-1988), as far as a list of files needs it. */
export const tarBlock = 512

/** The header before a file's bytes; they are padded to a whole block. `name` is at most 100 bytes of ASCII. */
export function tarHeader(name: string, size: number, modifiedSeconds: number): Uint8Array {
  const header = new Uint8Array(tarBlock)
  const put = (at: number, text: string): void => {
    for (let i = 0; i < text.length; i++) header[at + i] = text.charCodeAt(i)
  }
  const octal = (at: number, width: number, value: number): void =>
    put(
      at,
      Math.floor(value)
        .toString(8)
        .padStart(width - 1, '0'),
    )
  put(0, name.slice(0, 100))
  octal(100, 8, 0o644)
  octal(108, 8, 0)
  octal(116, 8, 0)
  // Eight gigabytes and more do not fit into eleven octal digits: base 256 (a GNU way that all readers know).
  if (size < 8 ** 11) octal(124, 12, size)
  else {
    header[124] = 0x80
    for (let i = 11, rest = size; i > 0; i--, rest = Math.floor(rest / 256)) header[124 + i] = rest % 256
  }
  octal(136, 12, modifiedSeconds)
  put(148, '        ')
  put(156, '0')
  put(257, 'ustar\u000000')
  const sum = header.reduce((total, byte) => total + byte, 0)
  put(148, `${sum.toString(8).padStart(6, '0')}\u0000 `)
  return header
}

/** What fills up the last block of a file; the archive ends with two empty blocks. */
export const tarPadding = (size: number): Uint8Array => new Uint8Array((tarBlock - (size % tarBlock)) % tarBlock)
export const tarEnd = (): Uint8Array => new Uint8Array(2 * tarBlock)
