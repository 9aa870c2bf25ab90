import { columns, type PlainTable } from './table.js'

/** Tables without a call behind their rows: VoIPmonitor's lists, which people and other programs fill, and our leases. */
export const plainTables: readonly PlainTable[] = [
  {
    name: 'sensors',
    help: 'Sensors, with names for people; kept by `earshot sensor`.',
    owner: 'voipmonitor',
    primaryKey: ['id_sensor'],
    columns: columns([
      ['id_sensor', 'int(10) unsigned not null'],
      ['name', 'varchar(256)'],
      ['host', 'varchar(255)'],
      ['port', 'int(11)'],
      ['timezone_name', 'varchar(64)'],
      ['timezone_offset', 'int(11)'],
      ['timezone_save_at', 'datetime'],
    ]),
  },
  {
    name: 'rtp_stat',
    help: 'Quality by source address in steps of 10 s. We make it and leave it empty: each row must carry (NOT NULL) the MOS behind three jitter buffers, which we do not play through, and another MOS under these names would mislead who reads them. `cdr stats` has quality by time and trunk.',
    owner: 'voipmonitor',
    primaryKey: ['time', 'saddr', 'id_sensor'],
    theirIndexes: ['time'],
    partitionedBy: 'time',
    columns: columns([
      ['id_sensor', 'smallint(5) unsigned not null'],
      ['time', 'datetime not null'],
      ['saddr', 'int(10) unsigned not null'],
      ['mosf1_min', 'tinyint(3) unsigned not null'],
      ['mosf1_avg', 'tinyint(3) unsigned not null'],
      ['mosf2_min', 'tinyint(3) unsigned not null'],
      ['mosf2_avg', 'tinyint(3) unsigned not null'],
      ['mosAD_min', 'tinyint(3) unsigned not null'],
      ['mosAD_avg', 'tinyint(3) unsigned not null'],
      ['jitter_max', 'smallint(5) unsigned not null'],
      ['jitter_avg', 'smallint(5) unsigned not null'],
      ['loss_max_mult10', 'smallint(5) unsigned not null'],
      ['loss_avg_mult10', 'smallint(5) unsigned not null'],
      ['counter', 'mediumint(8) unsigned not null'],
    ]),
  },
  {
    name: 'earshot_lease',
    help: 'Who writes under which sensor number now: a heartbeat of each writer.',
    owner: 'earshot',
    primaryKey: ['id_sensor', 'instance'],
    columns: columns([
      ['id_sensor', 'smallint unsigned not null', '0: none was given'],
      ['instance', 'varchar(64) not null', 'one run of the program'],
      ['host', 'varchar(255) not null', 'the machine it runs on'],
      ['started', 'datetime not null', 'UTC'],
      ['seen', 'datetime not null', 'last heartbeat, by the clock of the server'],
    ]),
  },
]
