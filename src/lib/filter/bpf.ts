/**
 * Classic BPF (McCanne and Jacobson 1993; linux/filter.h): an accumulator A, an index X, sixteen words M[], jumps only forward.
 *
 *   code, 16 bits:   mode or operation (0xf0) | size or operand (0x08, 0x18) | class (0x07)
 */
export interface BpfInstruction {
  readonly code: number
  /** Instructions to skip when the test is true, and when it is false. */
  readonly jt: number
  readonly jf: number
  /** An unsigned 32-bit operand. */
  readonly k: number
}

export const bpfClass = { ld: 0, ldx: 1, st: 2, stx: 3, alu: 4, jmp: 5, ret: 6, misc: 7 } as const
export const bpfMode = { imm: 0x00, abs: 0x20, ind: 0x40, mem: 0x60, len: 0x80, msh: 0xa0 } as const
export const bpfAlu = {
  add: 0x00,
  sub: 0x10,
  mul: 0x20,
  div: 0x30,
  or: 0x40,
  and: 0x50,
  lsh: 0x60,
  rsh: 0x70,
  neg: 0x80,
  mod: 0x90,
  xor: 0xa0,
} as const
export const bpfJump = { ja: 0x00, jeq: 0x10, jgt: 0x20, jge: 0x30, jset: 0x40 } as const
/** The operand of an ALU operation or a test: the constant k, or X. */
export const bpfX = 0x08
/** What `ret` answers: the constant k, or A. */
export const bpfRetA = 0x10
/** Of class misc: X to A; 0 is A to X. */
export const bpfTxa = 0x80

/** `ld [k]` of a word, `jeq`, `ret`: what our own few instructions are made of. */
export const loadWord = (k: number): BpfInstruction => ({ code: bpfClass.ld | bpfMode.abs, jt: 0, jf: 0, k: k >>> 0 })
export const jumpIfEqual = (k: number, jt: number, jf: number): BpfInstruction => ({ code: bpfClass.jmp | bpfJump.jeq, jt, jf, k })
export const jump = (k: number): BpfInstruction => ({ code: bpfClass.jmp | bpfJump.ja, jt: 0, jf: 0, k })
export const answer = (k: number): BpfInstruction => ({ code: bpfClass.ret, jt: 0, jf: 0, k })
