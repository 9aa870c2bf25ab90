// `npm start`: from a fresh clone to the calls of a capture, and what to type next.
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { root, say, setUp } from './setup.mjs'

setUp()
const earshot = (...args) => spawnSync(process.execPath, [join(root, 'bin', 'run.js'), ...args], { cwd: root, stdio: 'inherit' })
say('\nThe calls of test/fixtures/pbx.pcap, a small office recorded from real SIP software:\n')
const { status } = earshot('sniff', '-r', 'test/fixtures/pbx.pcap', '--store', 'sqlite:demo/calls.db', '--spool', 'demo/spool')
if (status !== 0) process.exit(status ?? 1)
say(`
Records:  demo/calls.db   (SQLite; for people: SELECT * FROM calls)
Pcaps:    demo/spool      (one a call)

Next:
  bin/earshot cdr query --store sqlite:demo/calls.db --mos-below 4.3
  bin/earshot cdr show 1 --store sqlite:demo/calls.db --spool demo/spool
  bin/earshot sniff -r your.pcap
  sudo bin/earshot sniff -i any          (a PBX, live; Ctrl-C ends it)
  bin/earshot --help`)
