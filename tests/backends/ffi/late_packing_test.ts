import { assertEquals } from "@std/assert";
import { LatePacking } from "../../../backends/ffi/late_packing.ts";
import type { ParameterReader } from "../../../backends/onnx/session/mod.ts";

const oneRow = () => 1;

/** A program that reads the parameters with these names. */
function reader(...names: string[]): ParameterReader & { packed: boolean } {
  return {
    fromFile: new Set(names),
    fromMemory: new Set(),
    packed: false,
    reload: () => Promise.resolve(),
    pack() {
      this.packed = true;
      return Promise.resolve();
    },
    dropSession: () => {},
  };
}

/** Programs that wait, and those of them that have copies. */
function waiting(programs: Record<string, ParameterReader>) {
  const late = new LatePacking(({ fromFile }) =>
    Object.values(programs).some((other) => other.packed && !other.fromFile.isDisjointFrom(fromFile))
  );
  for (const [name, program] of Object.entries(programs)) late.add(program, name.startsWith("decode"));
  return { late, packed: () => Object.keys(programs).filter((name) => programs[name].packed) };
}

Deno.test("programs that have run get packed copies together, when one of them runs for a second time", async () => {
  const programs = { encode: reader("a"), decode: reader("b"), cross: reader("c"), gone: reader("d") };
  const { encode, decode, cross, gone } = programs;
  const { late, packed } = waiting(programs);
  late.delete(gone);
  assertEquals(late.beforeRun(encode, oneRow), undefined);
  for (let step = 0; step < 16; step++) assertEquals(late.beforeRun(decode, oneRow), undefined);
  for (let run = 0; run < 3; run++) assertEquals(late.beforeRun(gone, oneRow), undefined);
  await late.beforeRun(encode, oneRow);
  assertEquals(packed(), ["encode", "decode"]);
  // One that had not run gets them when it is used again.
  assertEquals(late.beforeRun(cross, oneRow), undefined);
  assertEquals(packed(), ["encode", "decode"]);
  await late.beforeRun(cross, oneRow);
  assertEquals(packed(), ["encode", "decode", "cross"]);
  for (const program of Object.values(programs)) assertEquals(late.beforeRun(program, oneRow), undefined);
});

Deno.test("one of the programs that read the same parameters gets a packed copy: the first that is used again", async () => {
  const programs = { encode: reader("a"), decode: reader("b"), decodeBySlot: reader("b") };
  const { encode, decode, decodeBySlot } = programs;
  const { late, packed } = waiting(programs);
  late.beforeRun(encode, oneRow);
  late.beforeRun(decodeBySlot, oneRow);
  await late.beforeRun(encode, oneRow);
  assertEquals(packed(), ["encode", "decodeBySlot"]);
  for (let step = 0; step < 3; step++) await late.beforeRun(decode, oneRow);
  assertEquals(packed(), ["encode", "decodeBySlot"]);
});

for (const [rows, steps] of [[1, 128], [4, 32], [200, 1]] as const) {
  Deno.test(`programs get packed copies in the middle of a long text: after ${steps} steps of ${rows} rows`, async () => {
    const programs = { decode: reader("b") };
    const { late, packed } = waiting(programs);
    for (let step = 0; step < steps; step++) assertEquals(late.beforeRun(programs.decode, () => rows), undefined);
    assertEquals(packed(), []);
    await late.beforeRun(programs.decode, () => rows);
    assertEquals(packed(), ["decode"]);
  });
}
