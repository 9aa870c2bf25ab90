/** The name a person most likely meant: the fewest letters away, when that is few enough to be a slip. */
export function nearest(
  typed: string,
  names: Iterable<string>,
  lettersMax = Math.max(1, Math.floor(typed.length / 3)),
): string | undefined {
  const word = typed.toLowerCase()
  let best: string | undefined
  let bestDistance = lettersMax + 1
  for (const name of names) {
    // The beginning of a name (`dur`) is as good as a slip of one letter.
    const distance = word.length >= 3 && name.startsWith(word) ? 1 : editDistance(word, name)
    if (distance < bestDistance) {
      best = name
      bestDistance = distance
    }
  }
  return best
}

/** Insertions, deletions, changes and swaps of neighbours (optimal string alignment). */
function editDistance(a: string, b: string): number {
  let before: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1]
      let cost = Math.min((last[j - 1] as number) + (same ? 0 : 1), (last[j] as number) + 1, (row[j - 1] as number) + 1)
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) cost = Math.min(cost, (before[j - 2] as number) + 1)
      row.push(cost)
    }
    before = last
    last = row
  }
  return last[b.length] as number
}
