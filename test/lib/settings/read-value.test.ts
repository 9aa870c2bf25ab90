import { describe, expect, test } from 'vitest'
import { readValue } from '../../../src/lib/settings/read-value.js'
import { allSettings } from '../../../src/lib/settings/services.js'
import type { Setting } from '../../../src/lib/settings/table.js'

const setting = (key: string): Setting => allSettings[key] as Setting

describe('a text that is right', () => {
  test.each([
    ['snaplen', '128', 128],
    ['sipport', '5060,5080-5083', [5060, 5080, 5081, 5082, 5083]],
    ['sipport', '5060; 5070', [5060, 5070]],
    ['ringbuffer', '50', 50 * 2 ** 20],
    ['ringbuffer', '64MiB', 64 * 2 ** 20],
    ['ringbuffer', '500 MB', 500e6],
    ['ringbuffer', '1GiB', 2 ** 30],
    ['interface', 'eth0, eth1', ['eth0', 'eth1']],
    ['together', '7,8', ['7,8']],
    ['cleanspool', 'true', 'yes'],
    ['cleanspool', '0', 'no'],
    ['promisc', 'off', false],
    ['plain', 'YES', true],
    ['save', 'sip', 'sip'],
    ['store', 'mysql://vm@[2001:db8::1]:3306/voipmonitor', 'mysql://vm@[2001:db8::1]:3306/voipmonitor'],
    ['store', 'sqlite:/a@b:c.db', 'sqlite:/a@b:c.db'],
  ])('%s = %s', (key, text, value) => {
    expect(readValue(setting(key), text)).toEqual({ value })
  })
})

describe('a text that is wrong says what would be right', () => {
  test.each([
    ['snaplen', '12.5', /"12.5" is not a whole number from 96 to 262144/],
    ['snaplen', '', /not a whole number/],
    ['snaplen', '64 # bytes', /not a whole number/],
    ['sipport', '5060-', /"5060-" is not a number from 1 to 65535/],
    ['sipport', '6000-5000', /"6000-5000"/],
    ['sipport', '70000', /"70000"/],
    ['ringbuffer', '64XB', /not a size/],
    ['ringbuffer', '1B', /not a size from 1048576 bytes/],
    ['promisc', 'maybe', /not yes or no/],
    ['save', 'all', /not one of sip, rtp/],
    ['store', 'mysql://u:topsecret@h/d', /password/],
  ])('%s = %s', (key, text, problem) => {
    const read = readValue(setting(key), text)
    expect(read).toMatchObject({ problem: expect.stringMatching(problem), next: expect.stringMatching(/./) })
    expect(JSON.stringify(read)).not.toContain('topsecret')
  })
})
