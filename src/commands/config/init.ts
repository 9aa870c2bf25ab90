import { Flags } from '@oclif/core'
import { exampleFile } from '../../lib/settings/ini-text.js'
import { BaseCommand } from '../../terminal/base-command.js'
import { writeOnce } from '../../terminal/write-once.js'

/** `earshot config init`: a file of settings to begin with. */
export default class ConfigInit extends BaseCommand {
  static override summary = 'Write a file of settings to begin with: every one, commented out, with its meaning.'
  static override examples = [
    '<%= config.bin %> <%= command.id %> | less',
    { description: 'Where services look for it', command: 'sudo <%= config.bin %> <%= command.id %> -w /etc/earshot/earshot.conf' },
  ]
  static override flags = {
    write: Flags.string({ char: 'w', default: '-', helpValue: 'FILE', summary: 'Where to; - is stdout.' }),
    force: Flags.boolean({ summary: 'Replace FILE when it exists.' }),
  }

  async run(): Promise<void> {
    const { flags } = await this.parse(ConfigInit)
    if (flags.write === '-') process.stdout.write(exampleFile())
    else {
      writeOnce(flags.write, exampleFile(), { force: flags.force, mode: 0o644 })
      process.stderr.write(`${flags.write} is written. Nothing in it is set yet.\n`)
    }
  }
}
