import { Flags } from '@oclif/core'

/** `-o`: the formats that every command which prints calls speaks. */
export const outputFormats = ['table', 'json', 'ndjson', 'csv', 'tsv'] as const
export type OutputFormat = (typeof outputFormats)[number]

export const outputFlag = Flags.option({ options: outputFormats })({
  char: 'o',
  default: 'table',
  helpGroup: 'OUTPUT',
  summary: 'How calls are printed on stdout.',
})

export const jsonFlag = Flags.boolean({ helpGroup: 'OUTPUT', summary: 'Same as -o json: one document.' })

export const outputFormat = (flags: { output: OutputFormat; json: boolean }): OutputFormat => (flags.json ? 'json' : flags.output)
