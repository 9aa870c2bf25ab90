import { printable } from '../lib/base/text-safe.js'

/** Rows as lines with aligned columns and nothing cut: for settings, whose values must be seen whole. Texts of files are made harmless. */
export function aligned(rows: readonly (readonly string[])[], indent = ''): string {
  const widths: number[] = []
  for (const row of rows) for (const [i, cell] of row.entries()) widths[i] = Math.min(WIDTH_MAX, Math.max(widths[i] ?? 0, cell.length))
  return rows.map((row) => `${indent}${row.map((cell, i) => printable(cell).padEnd(widths[i] as number)).join('  ')}`.trimEnd()).join('\n')
}

/** One long value does not push the others off the screen. */
const WIDTH_MAX = 48
