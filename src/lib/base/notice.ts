/** What a running part tells the operator: a sentence, and how much it weighs in syslog's words. */
export type NoticeLevel = 'info' | 'notice' | 'warning' | 'error'

/** Without a level it is `info`: nobody needs to do anything. */
export type Notice = (text: string, level?: NoticeLevel) => void
