// A small assembler for WebAssembly: functions in the text format's words, one after the other, to a module's bytes.
// It knows the few instructions that the kernels of this folder need, and no folded expressions.

/** A function of the module, all of whose parameters are i32. */
export interface WasmFunction {
  readonly name: string;
  readonly parameters: readonly string[];
  readonly integers: readonly string[];
  /** Integers of 64 bits. */
  readonly longs?: readonly string[];
  readonly vectors: readonly string[];
  /** Whether it returns an i32. */
  readonly returns?: boolean;
  /** Instructions; `$name` is a local, and a memory instruction is followed by its offset. */
  readonly body: string;
}

type Opcodes = Readonly<Record<string, readonly [code: number, operands?: string]>>;

/** Opcodes (WebAssembly core specification 2.0, section 5.4), and what follows: "i" integer, "m" offset, "b" byte. */
const scalar: Opcodes = {
  "return": [0x0f],
  "else": [0x05],
  "end": [0x0b],
  "br_if": [0x0d, "i"],
  "local.get": [0x20, "i"],
  "local.set": [0x21, "i"],
  "local.tee": [0x22, "i"],
  "i32.load": [0x28, "m"],
  "i64.load": [0x29, "m"],
  "i32.load8_u": [0x2d, "m"],
  "i32.store": [0x36, "m"],
  "i64.store": [0x37, "m"],
  "i32.store16": [0x3b, "m"],
  "i32.const": [0x41, "i"],
  "i64.const": [0x42, "i"],
  "i32.eqz": [0x45],
  "i32.lt_s": [0x48],
  "i32.lt_u": [0x49],
  "i32.ctz": [0x68],
  "i32.add": [0x6a],
  "i32.sub": [0x6b],
  "i32.and": [0x71],
  "i32.or": [0x72],
  "i32.shl": [0x74],
  "i32.shr_s": [0x75],
  "i32.shr_u": [0x76],
  "i64.or": [0x84],
  "i64.shl": [0x86],
  "i64.shr_u": [0x88],
  "i32.wrap_i64": [0xa7],
  "i64.extend_i32_u": [0xad],
};
const vector: Opcodes = {
  "v128.load": [0x00, "m"],
  "v128.load8x8_u": [0x02, "m"],
  "v128.load32_splat": [0x09, "m"],
  "v128.store": [0x0b, "m"],
  "i8x16.shuffle": [0x0d, "bbbbbbbbbbbbbbbb"],
  "i8x16.splat": [0x0f],
  "i16x8.splat": [0x10],
  "i32x4.splat": [0x11],
  "i64x2.extract_lane": [0x1d, "b"],
  "i8x16.eq": [0x23],
  "v128.store32_lane": [0x5a, "mb"],
  "v128.store64_lane": [0x5b, "mb"],
  "v128.load32_zero": [0x5c, "m"],
  "v128.load64_zero": [0x5d, "m"],
  "i8x16.bitmask": [0x64],
  "i8x16.narrow_i16x8_u": [0x66],
  "i16x8.narrow_i32x4_s": [0x85],
  "i16x8.extend_low_i8x16_u": [0x89],
  "i16x8.extend_high_i8x16_u": [0x8a],
  "i16x8.shr_u": [0x8d],
  "i16x8.add": [0x8e],
  "i16x8.add_sat_s": [0x8f],
  "i16x8.sub": [0x91],
  "i16x8.mul": [0x95],
  "i32x4.extend_low_i16x8_u": [0xa9],
  "i32x4.extend_high_i16x8_u": [0xaa],
  "i32x4.shl": [0xab],
  "i32x4.shr_s": [0xac],
  "i32x4.add": [0xae],
  "i32x4.sub": [0xb1],
  "i32x4.mul": [0xb5],
  "i32x4.dot_i16x8_s": [0xba],
  "i32x4.extmul_low_i16x8_s": [0xbc],
  "i32x4.extmul_high_i16x8_s": [0xbd],
};
const opcodes: Readonly<Record<string, readonly [code: readonly number[], operands?: string]>> = {
  "loop": [[0x03, 0x40]],
  "if": [[0x04, 0x40]],
  ...withPrefix(scalar, []),
  ...withPrefix(vector, [0xfd]), // whose codes are LEB128, those of one byte less than 128
};

function withPrefix(table: Opcodes, prefix: readonly number[]) {
  return Object.fromEntries(
    Object.entries(table).map(([name, [code, operands]]) =>
      [name, [[...prefix, code, ...(prefix.length > 0 && code > 0x7f ? [1] : [])], operands]] as const
    ),
  );
}

/**
 * Assemble a module that exports its functions and a memory named `memory`.
 *
 * @param functions The functions.
 * @param pages The memory's first size, in pages of 64 KiB; it can grow.
 */
export function assemble(functions: readonly WasmFunction[], pages: number): Uint8Array<ArrayBuffer> {
  const types = functions.map(({ parameters, returns }) => [
    0x60,
    ...list(parameters.map(() => [0x7f])),
    ...list(returns ? [[0x7f]] : []),
  ]);
  const exported = functions.map(({ name }, index) => [...text(name), 0, index]);
  return new Uint8Array([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, list(types)),
    ...section(3, list(functions.map((_, index) => [index]))),
    ...section(5, list([[0, ...leb128(pages)]])),
    ...section(7, list([[...text("memory"), 2, 0], ...exported])),
    ...section(10, list(functions.map(functionCode))),
  ]);
}

function functionCode({ parameters, integers, longs = [], vectors, body }: WasmFunction): number[] {
  const locals = new Map([...parameters, ...integers, ...longs, ...vectors].map((name, index) => [`$${name}`, index]));
  const words = body.split(/\s+/).filter((word) => word !== "");
  const integer = (word: string): number[] => leb128(locals.get(word) ?? Number(word));
  const bytes = list([
    [...leb128(integers.length), 0x7f],
    [...leb128(longs.length), 0x7e],
    [...leb128(vectors.length), 0x7b],
  ]);
  for (let at = 0; at < words.length;) {
    const [code, operands = ""] = opcodes[words[at++]];
    bytes.push(...code);
    for (const operand of operands) {
      if (operand === "m") bytes.push(0); // no alignment is promised
      if (operand === "b") bytes.push(Number(words[at++]));
      else bytes.push(...integer(words[at++]));
    }
  }
  bytes.push(0x0b);
  return [...leb128(bytes.length), ...bytes];
}

function section(id: number, content: readonly number[]): number[] {
  return [id, ...leb128(content.length), ...content];
}

function list(items: readonly (readonly number[])[]): number[] {
  return [...leb128(items.length), ...items.flat()];
}

function text(value: string): number[] {
  return [value.length, ...Array.from(value, (character) => character.charCodeAt(0))];
}

/** A signed LEB128 number, which is a longer spelling of the same number where an unsigned one is expected. */
function leb128(value: number): number[] {
  const bytes: number[] = [];
  for (let rest = value;;) {
    const low = rest & 0x7f;
    rest >>= 7;
    const done = (rest === 0 && (low & 0x40) === 0) || (rest === -1 && (low & 0x40) !== 0);
    bytes.push(done ? low : low | 0x80);
    if (done) return bytes;
  }
}
