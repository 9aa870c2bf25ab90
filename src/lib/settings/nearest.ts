/** The name that somebody probably meant: the nearest by edits (Damerau's, adjacent letters may be swapped), if it is near at all. */
export function nearest(word: string, names: Iterable<string>, editsMax = Math.max(1, Math.floor(word.length / 3))): string | undefined {
  let best: string | undefined
  let least = editsMax + 0.5
  for (const name of names) {
    if (Math.abs(name.length - word.length) > least) continue
    const edits = distance(word, name)
    if (edits < least) [best, least] = [name, edits]
  }
  return best
}

function distance(a: string, b: string): number {
  let before: number[] = []
  let above = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1]
      let edits = Math.min((above[j] as number) + 1, (row[j - 1] as number) + 1, (above[j - 1] as number) + (same ? 0 : 1))
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) edits = Math.min(edits, (before[j - 2] as number) + 1)
      row.push(edits)
    }
    before = above
    above = row
  }
  return above[b.length] as number
}
