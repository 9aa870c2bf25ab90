import { readFileSync } from 'node:fs'
import { Args } from '@oclif/core'
import { BaseCommand } from '../../terminal/base-command.js'

const files = { bash: 'earshot.bash', zsh: '_earshot' } as const

/** `earshot completion`: prints the script that the package carries. */
export default class Completion extends BaseCommand {
  static override summary = 'Print the completion script of a shell.'
  static override description =
    `The script is static: it starts nothing, and knows commands, flags, their values and the interfaces of this machine.
After an update of Earshot, print it again.`
  static override examples = [
    { description: 'bash, for everybody', command: 'earshot completion bash | sudo tee /etc/bash_completion.d/earshot > /dev/null' },
    { description: 'bash, for this shell only', command: 'source <(earshot completion bash)' },
    {
      description: 'zsh, for everybody',
      command: 'earshot completion zsh | sudo tee /usr/local/share/zsh/site-functions/_earshot > /dev/null',
    },
  ]
  static override args = { shell: Args.string({ required: true, options: Object.keys(files), description: 'bash or zsh.' }) }

  async run(): Promise<void> {
    const { args } = await this.parse(Completion)
    const file = files[args.shell as keyof typeof files]
    process.stdout.write(readFileSync(new URL(`../../completions/${file}`, import.meta.url), 'utf8'))
  }
}
