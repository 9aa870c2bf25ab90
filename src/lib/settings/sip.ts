import type { SettingTable } from './table.js'

/** Where SIP is looked for, and which sensor this is. */
export const sipSettings = {
  sipport: {
    flag: 'sip-port',
    reload: true,
    type: 'integers',
    default: [],
    unit: 'port',
    min: 1,
    max: 65_535,
    help: 'Believe SIP on these ports only (repeat or separate by commas; ranges too: 5060,5080-5090). Without it SIP is recognised by content on any port.',
  },
  id_sensor: {
    type: 'integer',
    default: 0,
    unit: '',
    min: 0,
    max: 65_534,
    help: 'Number of this sensor in the records, 1–65534; 0 means none.',
  },
} as const satisfies SettingTable
