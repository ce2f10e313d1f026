// A small assembler for WebAssembly. Think of a function as a list of instructions for a stack machine, in the words of the
// text format: each word becomes its opcode's bytes, `$name` the index of a local, and the sections of a module are put around
// them. It has only the instructions that the project's kernels need, and no folded expressions.

/** A function of the module. Its parameters are i32, `integers` and `vectors` are further locals, and it returns nothing. */
export interface WasmFunction {
  readonly name: string;
  readonly parameters: readonly string[];
  readonly integers: readonly string[];
  readonly vectors: readonly string[];
  /** Instructions; `$name` is a local, and a memory instruction is followed by its offset. */
  readonly body: string;
}

type Opcodes = Readonly<Record<string, readonly [code: number, operands?: string]>>;

/** Opcodes (WebAssembly core specification 2.0, section 5.4), and their operands: "i" an integer, "m" an offset, "b" a byte, "f"
 * a float32, "s" the sixteen bytes of a shuffle. */
const scalar: Opcodes = {
  "end": [0x0b],
  "br_if": [0x0d, "i"],
  "local.get": [0x20, "i"],
  "local.set": [0x21, "i"],
  "local.tee": [0x22, "i"],
  "i32.load": [0x28, "m"],
  "i32.store": [0x36, "m"],
  "i32.const": [0x41, "i"],
  "f32.const": [0x43, "f"],
  "i32.lt_u": [0x49],
  "i32.add": [0x6a],
  "i32.sub": [0x6b],
};
const vector: Opcodes = {
  "v128.load": [0x00, "m"],
  "v128.load32_splat": [0x09, "m"],
  "v128.store": [0x0b, "m"],
  "i8x16.shuffle": [0x0d, "s"],
  "i16x8.splat": [0x10],
  "i32x4.splat": [0x11],
  "f32x4.splat": [0x13],
  "f32x4.eq": [0x41],
  "f32x4.lt": [0x43],
  "f32x4.gt": [0x44],
  "v128.and": [0x4e],
  "v128.andnot": [0x4f],
  "v128.or": [0x50],
  "v128.bitselect": [0x52],
  "v128.store8_lane": [0x58, "mb"],
  "v128.store32_lane": [0x5a, "mb"],
  "v128.store64_lane": [0x5b, "mb"],
  "v128.load32_zero": [0x5c, "m"],
  "v128.load64_zero": [0x5d, "m"],
  "i8x16.narrow_i16x8_u": [0x66],
  "i8x16.shl": [0x6b],
  "i16x8.narrow_i32x4_s": [0x85],
  "i16x8.extend_low_i8x16_u": [0x89],
  "i16x8.extend_high_i8x16_u": [0x8a],
  "i16x8.shr_u": [0x8d],
  "i32x4.extend_low_i16x8_u": [0xa9],
  "i32x4.extend_high_i16x8_u": [0xaa],
  "i32x4.shr_s": [0xac],
  "i32x4.add": [0xae],
  "i32x4.mul": [0xb5],
  "i32x4.min_s": [0xb6],
  "f32x4.abs": [0xe0],
  "f32x4.neg": [0xe1],
  "f32x4.add": [0xe4],
  "f32x4.mul": [0xe6],
  "f32x4.div": [0xe7],
  "f32x4.min": [0xe8],
  "f32x4.max": [0xe9],
  "i32x4.trunc_sat_f32x4_s": [0xf8],
};
const opcodes: Readonly<Record<string, readonly [code: readonly number[], operands?: string]>> = {
  "loop": [[0x03, 0x40]],
  ...withPrefix(scalar, []),
  ...withPrefix(vector, [0xfd]), // after the prefix the code is LEB128: one byte below 128, otherwise two
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
 * @param pages The memory's initial size, in pages of 64 KiB; it can grow.
 */
export function assemble(functions: readonly WasmFunction[], pages: number): Uint8Array<ArrayBuffer> {
  const types = functions.map(({ parameters }) => [0x60, ...list(parameters.map(() => [0x7f])), ...list([])]);
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

function functionCode({ parameters, integers, vectors, body }: WasmFunction): number[] {
  const locals = new Map([...parameters, ...integers, ...vectors].map((name, index) => [`$${name}`, index]));
  const words = body.split(/\s+/).filter((word) => word !== "");
  const integer = (word: string): number[] => leb128(locals.get(word) ?? Number(word));
  const bytes = list([
    [...leb128(integers.length), 0x7f],
    [...leb128(vectors.length), 0x7b],
  ]);
  for (let at = 0; at < words.length;) {
    const [code, operands = ""] = opcodes[words[at++]];
    bytes.push(...code);
    for (const operand of operands) {
      if (operand === "m") bytes.push(0); // no alignment is declared
      if (operand === "b") bytes.push(Number(words[at++]));
      else if (operand === "f") bytes.push(...new Uint8Array(Float32Array.of(Number(words[at++])).buffer));
      else if (operand === "s") bytes.push(...words.slice(at, at += 16).map(Number));
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

/** A signed LEB128 number; where an unsigned one is expected it has the same value, possibly in one byte more. */
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
