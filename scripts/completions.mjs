// Completions for bash and zsh, from the manifest, as dist/completions: static files that need neither Node nor a cache.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { commands, root, spellings, topics } from './commands.mjs'

/** How the value of a flag is completed, by what its help calls it. */
const kinds = { IFACE: 'interface', FILE: 'file', 'FILE|DIR': 'file', DIR: 'directory' }
const kindOf = (flag) => (flag.options ? 'choice' : (kinds[flag.helpValue] ?? 'none'))

/** Words after which other words of a command come: `cdr` → query, show … */
function tree(all) {
  const children = new Map([['', new Map()]])
  const helps = new Map([...topics().map(({ words, description }) => [words, description]), ...all.map((c) => [c.words, c.summary ?? ''])])
  for (const { words } of all) {
    const parts = words.split(' ')
    parts.forEach((part, i) => {
      const before = parts.slice(0, i).join(' ')
      if (!children.has(before)) children.set(before, new Map())
      children.get(before).set(part, helps.get(parts.slice(0, i + 1).join(' ')) ?? '')
    })
  }
  return children
}

const quoted = (text) => `'${text.replaceAll("'", `'\\''`)}'`

export function bash() {
  const all = commands()
  const below = [...tree(all)].map(([words, next]) => `    ${quoted(words)}) REPLY=${quoted([...next.keys()].join(' '))} ;;`)
  const flags = all.map((c) => `    ${quoted(c.words)}) REPLY=${quoted([...c.flags.flatMap(spellings), '--help'].join(' '))} ;;`)
  const values = all.flatMap((c) =>
    c.flags
      .filter((flag) => flag.type !== 'boolean')
      .map((flag) => {
        const patterns = [...(flag.char ? [`-${flag.char}`] : []), `--${flag.name}`].map((name) => quoted(`${c.words} ${name}`)).join('|')
        return `    ${patterns}) REPLY=${quoted(flag.options ? `choice ${flag.options.join(' ')}` : kindOf(flag))} ;;`
      }),
  )
  return `# earshot(1): completion for bash. Made from its commands; put it into a directory of completions, or: source <(earshot completion bash)

_earshot_below() {
  case "$1" in
${below.join('\n')}
    *) REPLY='' ;;
  esac
}

_earshot_flags() {
  case "$1" in
${flags.join('\n')}
    *) REPLY='--help --version' ;;
  esac
}

_earshot_value() {
  case "$1" in
${values.join('\n')}
    *) REPLY='' ;;
  esac
}

_earshot() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" prev="\${COMP_WORDS[COMP_CWORD - 1]}" command='' word i REPLY
  COMPREPLY=()
  # --flag=value comes in three words.
  if [[ $cur == '=' ]]; then
    cur=''
  elif [[ $prev == '=' && COMP_CWORD -ge 2 ]]; then
    prev="\${COMP_WORDS[COMP_CWORD - 2]}"
  fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    word="\${COMP_WORDS[i]}"
    _earshot_below "$command"
    [[ " $REPLY " == *" $word "* ]] || break
    command="\${command:+$command }$word"
  done
  if [[ $prev == -* ]]; then
    _earshot_value "$command $prev"
    case "$REPLY" in
      'choice '*) COMPREPLY=($(compgen -W "\${REPLY#choice }" -- "$cur")); return ;;
      interface) COMPREPLY=($(compgen -W "any $(ls /sys/class/net 2>/dev/null)" -- "$cur")); return ;;
      file) compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- "$cur")); return ;;
      directory) compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -d -- "$cur")); return ;;
      none) return ;;
    esac
  fi
  if [[ $cur == -* ]]; then
    _earshot_flags "$command"
    COMPREPLY=($(compgen -W "$REPLY" -- "$cur"))
    return
  fi
  _earshot_below "$command"
  if [[ -n $REPLY ]]; then
    COMPREPLY=($(compgen -W "$REPLY" -- "$cur"))
  fi
}

complete -F _earshot earshot
`
}

/** Inside the brackets of an _arguments specification, and as a part of one. */
const described = (text) => text.replace(/[[\]\\:]/g, '\\$&').replaceAll('\n', ' ')

function zshFlag(flag) {
  const names = [...(flag.char ? [`-${flag.char}`] : []), `--${flag.name}`]
  const help = `[${described(flag.summary ?? '')}]`
  const actions = { interface: '_net_interfaces', file: '_files', directory: '_files -/', none: ' ' }
  const kind = kindOf(flag)
  const value =
    flag.type === 'boolean'
      ? ''
      : `:${described(flag.helpValue ?? 'value')}:${kind === 'choice' ? `(${flag.options.join(' ')})` : actions[kind]}`
  const many = flag.multiple ? '*' : ''
  const specs = names.map((name) =>
    quoted(
      `${many}${!many && names.length > 1 ? `(${names.join(' ')})` : ''}${name}${name.startsWith('--') && value ? '=' : name.startsWith('--') ? '' : value ? '+' : ''}${help}${value}`,
    ),
  )
  if (flag.allowNo) specs.push(quoted(`--no-${flag.name}${help}`))
  return specs
}

export function zsh() {
  const all = commands()
  const below = [...tree(all)].map(([words, next]) => {
    const list = [...next].map(([word, help]) => quoted(`${described(word)}:${help}`))
    return `    ${quoted(words)}) reply=(\n      ${list.join('\n      ')}\n    ) ;;`
  })
  const flags = all.map((c) => {
    const rest = quoted(c.strict === false || c.args.length > 0 ? '*:argument:_files' : '*: :')
    return `    ${quoted(c.words)}) reply=(\n      ${[...c.flags.flatMap(zshFlag), quoted('--help[Show help]'), rest].join('\n      ')}\n    ) ;;`
  })
  return `#compdef earshot
# earshot(1): completion for zsh. Made from its commands; put it as _earshot into a directory of $fpath.

_earshot_below() {
  case "$1" in
${below.join('\n')}
    *) reply=() ;;
  esac
}

_earshot_flags() {
  case "$1" in
${flags.join('\n')}
    *) reply=() ;;
  esac
}

_earshot() {
  local command='' i
  local -a reply names parts
  for ((i = 2; i < CURRENT; i++)); do
    _earshot_below "$command"
    names=("\${(@)reply%%:*}")
    (( \${names[(Ie)$words[i]]} )) || break
    command="\${command:+$command }$words[i]"
  done
  _earshot_below "$command"
  if (( $#reply )) && [[ $words[CURRENT] != -* ]]; then
    _describe 'command' reply
    return
  fi
  _earshot_flags "$command"
  if (( $#reply )); then
    # _arguments is to see the last word of the command as the program.
    parts=(\${(s: :)command})
    shift $#parts words
    (( CURRENT -= $#parts ))
    _arguments -s -S "\${reply[@]}"
  else
    _arguments '--help[Show help]' '--version[Show versions]'
  fi
}

_earshot "$@"
`
}

export function writeCompletions(directory = join(root, 'dist', 'completions')) {
  mkdirSync(directory, { recursive: true })
  writeFileSync(join(directory, 'earshot.bash'), bash())
  writeFileSync(join(directory, '_earshot'), zsh())
}
