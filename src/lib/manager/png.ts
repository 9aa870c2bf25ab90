import { promisify } from 'node:util'
import { deflate } from 'node:zlib'

/** A picture of few colours as a PNG (ISO/IEC 15948): 8-bit palette, one filter byte a line. */
export class Picture {
  readonly width: number
  readonly height: number
  readonly pixels: Uint8Array
  readonly #palette: readonly number[]

  /** `palette` holds 0xRRGGBB; the first is the background. */
  constructor(width: number, height: number, palette: readonly number[]) {
    this.width = width
    this.height = height
    this.pixels = new Uint8Array(width * height)
    this.#palette = palette
  }

  fill(x: number, y: number, width: number, height: number, colour: number): void {
    const [left, right] = [Math.max(0, x), Math.min(this.width, x + width)]
    for (let line = Math.max(0, y); line < Math.min(this.height, y + height); line++)
      if (right > left) this.pixels.fill(colour, line * this.width + left, line * this.width + right)
  }

  async png(): Promise<Uint8Array> {
    const header = new DataView(new ArrayBuffer(13))
    header.setUint32(0, this.width)
    header.setUint32(4, this.height)
    header.setUint8(8, 8)
    header.setUint8(9, 3)
    const lines = new Uint8Array(this.height * (this.width + 1))
    for (let y = 0; y < this.height; y++) lines.set(this.pixels.subarray(y * this.width, (y + 1) * this.width), y * (this.width + 1) + 1)
    const palette = Uint8Array.from(this.#palette.flatMap((c) => [c >> 16, (c >> 8) & 255, c & 255]))
    return Buffer.concat([
      Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a),
      chunk('IHDR', new Uint8Array(header.buffer)),
      chunk('PLTE', palette),
      chunk('IDAT', await promisify(deflate)(lines)),
      chunk('IEND', new Uint8Array(0)),
    ])
  }
}

function chunk(type: string, data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(12 + data.length)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, data.length)
  for (let i = 0; i < 4; i++) bytes[4 + i] = type.charCodeAt(i)
  bytes.set(data, 8)
  view.setUint32(8 + data.length, crc(bytes.subarray(4, 8 + data.length)))
  return bytes
}

const table = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n
  for (let k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1
  return c
})

/** CRC-32 of annex D; zlib’s own came with Node 20.15. */
function crc(bytes: Uint8Array): number {
  let c = 0xffffffff
  for (const byte of bytes) c = (table[(c ^ byte) & 255] as number) ^ (c >>> 8)
  return (c ^ 0xffffffff) >>> 0
}
