import { readFileSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Resolution } from '../../lib/settings/resolve.js'

/** Which files the user of the services may read: what root sees when it looks at settings is not what they will see. */
export interface ServiceUser {
  readonly uid: number
  readonly gids: readonly number[]
}

/** From the text of /etc/passwd and /etc/group; undefined where there is no such user. */
export function serviceUser(passwd: string, group: string): ServiceUser | undefined {
  const [, uid, gid] = /^earshot:[^:]*:(\d+):(\d+):/m.exec(passwd) ?? []
  if (uid === undefined) return undefined
  const others = [...group.matchAll(/^[^:\n]*:[^:\n]*:(\d+):(.*)$/gm)].filter(([, , members]) => members?.split(',').includes('earshot'))
  return { uid: Number(uid), gids: [Number(gid), ...others.map(([, id]) => Number(id))] }
}

export function serviceUserHere(): ServiceUser | undefined {
  try {
    return serviceUser(readFileSync('/etc/passwd', 'utf8'), readFileSync('/etc/group', 'utf8'))
  } catch {
    return undefined
  }
}

/** Why `user` cannot read a file, in words; undefined when it can, or when we cannot tell. */
export function whyUnreadable(path: string, user: ServiceUser): string | undefined {
  try {
    if (!may(path, user, 0o4)) return `the user earshot may not read it (chgrp earshot ${path}; chmod 640 ${path})`
    for (let at = dirname(path); at !== dirname(at); at = dirname(at))
      if (!may(at, user, 0o1)) return `the user earshot may not enter ${at}`
    return undefined
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'it is not there' : undefined
  }
}

function may(path: string, { uid, gids }: ServiceUser, bit: number): boolean {
  const { mode, uid: owner, gid } = statSync(path)
  const shift = owner === uid ? 6 : gids.includes(gid) ? 3 : 0
  return ((mode >> shift) & bit) !== 0
}

/** The files that a service's settings name below `directory` and its user cannot read: a line each. */
export const unreadableFiles = ({ settings }: Resolution, directory: string, user: ServiceUser): string[] =>
  [...settings.values()].flatMap(({ key, setting, value, origin }) => {
    if (setting.type !== 'path' || setting.helpValue !== 'FILE' || typeof value !== 'string') return []
    if (origin.kind !== 'file' || !origin.text.startsWith(`${directory}/`)) return []
    const why = whyUnreadable(value, user)
    return why === undefined ? [] : [`${origin.text}: ${key} = ${value}: ${why}.`]
  })
