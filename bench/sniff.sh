#!/usr/bin/env bash
# Offline speed: earshot on made loads of 500 and 5,000 calls, beside tshark on the same file in the same run.
# Usage: bench/sniff.sh [DIR]   (needs 3 GB there). Prints the rows of RESULTS.md; the program's own clock, wall time, peak memory.
set -euo pipefail
cd "$(dirname "$0")/.."
dir=${1:-bench/tmp}
mkdir -p "$dir"
for calls in 500 5000; do
  [ -f "$dir/$calls.pcap" ] || npx tsx bench/make-capture.ts --calls $calls --out "$dir/$calls.pcap"
  cat "$dir/$calls.pcap" > /dev/null
done
run() { # label, arguments…
  local label=$1; shift
  for _ in 1 2 3; do
    rm -rf "$dir/out"
    /usr/bin/time -f "%e %M" -o "$dir/time" node bin/run.js sniff "$@" -o csv 2> "$dir/err" > /dev/null
    echo "$label | $(grep packets "$dir/err" | head -1 | sed 's/:.*//') | $(awk '{printf "%s s wall | %d MB", $1, $2 / 1024}' "$dir/time")"
  done
}
run "500 calls, no store, no spool" -r "$dir/500.pcap"
run "5000 calls, records in SQLite, no spool" -r "$dir/5000.pcap" --store "sqlite:$dir/out/calls.db"
run "500 calls, SQLite and spool" -r "$dir/500.pcap" --store "sqlite:$dir/out/calls.db" --spool "$dir/out/spool"
run "5000 calls, SQLite and spool" -r "$dir/5000.pcap" --store "sqlite:$dir/out/calls.db" --spool "$dir/out/spool"
/usr/bin/time -f "tshark -q -z rtp,streams, 500 calls | %e s wall | %M KB" tshark -r "$dir/500.pcap" -q -z rtp,streams > /dev/null
rm -rf "$dir/out"
