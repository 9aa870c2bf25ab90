import { expect, test } from 'vitest'
import { nearest } from '../../../src/lib/query/nearest.js'

const names = ['snaplen', 'spooldir', 'interface', 'rtptimeout', 'save', 'store', 'maxpoolsize', 'maxpoolsipsize']

test.each([
  ['snaplne', 'snaplen'],
  ['intreface', 'interface'],
  ['spoldir', 'spooldir'],
  ['spool_dir', 'spooldir'],
  ['rtp_timeout', 'rtptimeout'],
  ['stoer', 'store'],
  ['maxpoolsiez', 'maxpoolsize'],
  ['x', undefined],
  ['mysqlhost', undefined],
])('%s → %s', (word, want) => {
  expect(nearest(word, names)).toBe(want)
})
