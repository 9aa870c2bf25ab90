/** What `earshot` alone says: by examples, and where there is more. */
export const shortHelp = `Earshot listens to SIP and RTP: a record for each call, its quality, a pcap with its packets.

  earshot sniff -r call.pcap                        the calls of a capture
  sudo earshot sniff -i eth0                        watch a PBX: records to SQLite, a pcap a call
  sudo earshot live -i eth0                         the calls that run, on a screen
  earshot cdr query --since -1h --mos-below 3.6     the bad calls of the last hour
  earshot cdr show 4711                             one call: ladder, streams, quality over time
  earshot fetch-pcap 4711 -w call.pcap              its packets, from wherever they are kept
  earshot cdr stats --by trunk                      ASR, NER, ACD, PDD, MOS

As a service:    sudo earshot service install sniff
Many sensors:    earshot mirror-send --help, mirror-recv, serve-manager
All commands:    earshot --help; each tells more with --help
Manual:          man earshot
Completion:      earshot completion bash --help
`

export function printShortHelp(): void {
  process.stdout.write(shortHelp)
}
