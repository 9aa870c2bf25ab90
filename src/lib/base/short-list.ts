/** Lists that mostly hold one or two things, of which there are very many. */

/** Up to this length a list is made anew: one that is pushed to gets room for seventeen at once (V8). */
const COPIED_MAX = 4

/** The list with one more at its end: the same list or another, so what it was called is to be set to the answer. */
export function appended<T>(list: T[], item: T): T[] {
  if (list.length >= COPIED_MAX) {
    list.push(item)
    return list
  }
  return list.length === 0 ? [item] : [...list, item]
}
