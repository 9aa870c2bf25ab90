import { type BpfInstruction, bpfAlu, bpfClass, bpfJump, bpfMode, bpfRetA, bpfTxa, bpfX } from './bpf.js'

/**
 * Runs a BPF program over `captured` bytes at `at`; `length` is what the packet had on the wire.
 * `gap` bytes are stepped over before offset 12 of the frame: an Ethernet frame is seen without its VLAN tags, as the kernel
 * shows it to a filter when it has moved them aside.
 */
export type BpfFunction = (bytes: Uint8Array, at: number, captured: number, length: number, gap: number) => boolean

/** Where an Ethernet frame's tags begin: behind both addresses. */
const TAGS_AT = 12
const REJECT = 'return false'

/**
 * Turns a classic BPF program into a JavaScript function (made with `new Function` from numbers only, never from text).
 * As in the kernel, a load outside the packet, a division by zero and anything unknown reject the packet.
 *
 * Jumps only go forward, so the program becomes nested labelled blocks, each ending where a jump lands:
 *
 *   l9: { l5: { A = …; if (A === 17) break l5; break l9 }   // the code at 5
 *       A = …; return true }                                // the code at 9
 */
export function compileToFunction(program: readonly BpfInstruction[]): BpfFunction {
  const targets = new Set<number>()
  program.forEach((instruction, i) => {
    for (const target of jumpTargets(instruction, i)) if (target !== i + 1) targets.add(target)
  })
  const inside = [...targets].filter((target) => target < program.length).sort((a, b) => b - a)
  const lines = inside.map((target) => `l${target}:{`)
  program.forEach((instruction, i) => {
    if (targets.has(i)) lines.push('}')
    lines.push(statement(instruction, i, program.length))
  })
  lines.push(REJECT)
  const memory = Array.from({ length: 16 }, (_, i) => `m${i}=0`).join(',')
  const body = `'use strict';const rest=captured-gap,past=at+gap;let A=0,X=0,o=0,${memory};\n${lines.join('\n')}`
  return new Function('bytes', 'at', 'captured', 'length', 'gap', body) as BpfFunction
}

function jumpTargets({ code, jt, jf, k }: BpfInstruction, i: number): number[] {
  if ((code & 7) !== bpfClass.jmp) return []
  return (code & 0xf0) === bpfJump.ja ? [i + 1 + k] : [i + 1 + jt, i + 1 + jf]
}

/** A and X are kept as signed 32-bit numbers, the engine's fast kind; only comparisons and offsets need them unsigned. */
function statement(instruction: BpfInstruction, i: number, length: number): string {
  const { code, k } = instruction
  const goTo = (target: number): string => (target === i + 1 ? '' : target < length ? `break l${target}` : REJECT)
  switch (code & 7) {
    case bpfClass.ld:
      return load(code, k)
    case bpfClass.ldx:
      return loadIndex(code, k)
    case bpfClass.st:
      return k < 16 ? `m${k}=A` : REJECT
    case bpfClass.stx:
      return k < 16 ? `m${k}=X` : REJECT
    case bpfClass.alu:
      return arithmetic(code, k)
    case bpfClass.jmp: {
      const [yes, no] = jumpTargets(instruction, i) as [number, number?]
      if (no === undefined) return goTo(yes)
      return `if(${test(code, k)}){${goTo(yes)}}else{${goTo(no)}}`
    }
    case bpfClass.ret:
      return (code & 0x18) === bpfRetA ? 'return A!==0' : `return ${k !== 0}`
    default:
      return (code & 0xf8) === bpfTxa ? 'A=X' : 'X=A'
  }
}

const SIZES: Readonly<Record<number, number>> = { 0: 4, 8: 2, 16: 1 }

function load(code: number, k: number): string {
  const size = SIZES[code & 0x18]
  if (size === undefined) return REJECT
  switch (code & 0xe0) {
    case bpfMode.imm:
      return `A=${k | 0}`
    case bpfMode.abs:
      return `${bounds(k, size)};o=${base(k)}+${k};A=${bytesAt('o', size)}`
    case bpfMode.ind:
      // X is unsigned, and the sum does not wrap: both as in libpcap's own interpreter.
      return `o=(X>>>0)+${k};if(o+${size}>rest)${REJECT};o+=past;A=${bytesAt('o', size)}`
    case bpfMode.mem:
      return k < 16 ? `A=m${k}` : REJECT
    case bpfMode.len:
      return 'A=(length-gap)|0'
    default:
      return REJECT
  }
}

function loadIndex(code: number, k: number): string {
  switch (code & 0xe0) {
    case bpfMode.imm:
      return `X=${k | 0}`
    case bpfMode.mem:
      return k < 16 ? `X=m${k}` : REJECT
    case bpfMode.len:
      return 'X=(length-gap)|0'
    case bpfMode.msh:
      return `${bounds(k, 1)};X=(bytes[${base(k)}+${k}]&15)<<2`
    default:
      return REJECT
  }
}

const base = (k: number): string => (k < TAGS_AT ? 'at' : 'past')
const bounds = (k: number, size: number): string => `if(${k + size}>${k < TAGS_AT ? 'captured' : 'rest'})${REJECT}`
const bytesAt = (at: string, size: number): string =>
  size === 1
    ? `bytes[${at}]`
    : size === 2
      ? `bytes[${at}]<<8|bytes[${at}+1]`
      : `bytes[${at}]<<24|bytes[${at}+1]<<16|bytes[${at}+2]<<8|bytes[${at}+3]`

function arithmetic(code: number, k: number): string {
  const x = (code & bpfX) !== 0
  const value = x ? 'X' : `${k | 0}`
  switch (code & 0xf0) {
    case bpfAlu.add:
      return `A=(A+${value})|0`
    case bpfAlu.sub:
      return `A=(A-(${value}))|0`
    case bpfAlu.mul:
      return `A=Math.imul(A,${value})`
    case bpfAlu.div:
    case bpfAlu.mod: {
      const operator = (code & 0xf0) === bpfAlu.div ? '/' : '%'
      if (x) return `if(X===0)${REJECT};A=((A>>>0)${operator}(X>>>0))|0`
      return k === 0 ? REJECT : `A=((A>>>0)${operator}${k >>> 0})|0`
    }
    case bpfAlu.or:
      return `A|=${value}`
    case bpfAlu.and:
      return `A&=${value}`
    case bpfAlu.xor:
      return `A^=${value}`
    // JavaScript shifts by the count modulo 32; 32 and more leave nothing.
    case bpfAlu.lsh:
      return x ? 'A=(X>>>0)<32?A<<X:0' : `A=${k < 32 ? `A<<${k}` : '0'}`
    case bpfAlu.rsh:
      return x ? 'A=(X>>>0)<32?(A>>>X)|0:0' : `A=${k < 32 ? `(A>>>${k})|0` : '0'}`
    case bpfAlu.neg:
      return 'A=-A|0'
    default:
      return REJECT
  }
}

function test(code: number, k: number): string {
  const x = (code & bpfX) !== 0
  switch (code & 0xf0) {
    case bpfJump.jeq:
      return `A===${x ? 'X' : k | 0}`
    case bpfJump.jgt:
      return `(A>>>0)>${x ? '(X>>>0)' : k >>> 0}`
    case bpfJump.jge:
      return `(A>>>0)>=${x ? '(X>>>0)' : k >>> 0}`
    case bpfJump.jset:
      return `(A&${x ? 'X' : k | 0})!==0`
    default:
      return 'false'
  }
}
