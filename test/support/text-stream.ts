/** A stream that keeps what is written to it as text; a terminal when it is told how wide it is. */
export function textStream(columns?: number) {
  let text = ''
  return {
    write: (more: string): boolean => {
      text += more
      return true
    },
    once: (): undefined => undefined,
    writableNeedDrain: false,
    ...(columns === undefined ? {} : { isTTY: true, columns }),
    text: (): string => text,
  }
}
