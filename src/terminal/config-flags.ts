import { Flags } from '@oclif/core'

/** Which files a command reads its settings from: the flags of every command that has settings. */
export const configFlags = {
  config: Flags.string({
    aliases: ['config-file'],
    helpGroup: 'CONFIGURATION',
    helpValue: 'FILE',
    summary:
      'Read settings from this file (ours, or a voipmonitor.conf as it is) instead of /etc/earshot/earshot.conf, its conf.d and your own.',
    exclusive: ['no-config'],
  }),
  'no-config': Flags.boolean({ helpGroup: 'CONFIGURATION', summary: 'Read no file of settings.' }),
}

/** And of services, of which a host may run several. */
export const serviceConfigFlags = {
  ...configFlags,
  instance: Flags.string({
    helpGroup: 'CONFIGURATION',
    helpValue: 'NAME',
    env: 'EARSHOT_INSTANCE',
    summary: 'Which of several on this host: settings in a section like [sniff@NAME] are for it alone.',
  }),
}
