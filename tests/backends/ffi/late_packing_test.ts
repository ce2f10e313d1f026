import { assertEquals } from "@std/assert";
import { LatePacking } from "../../../backends/ffi/late_packing.ts";
import type { ParameterReader } from "../../../backends/onnx/session/mod.ts";

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
  assertEquals(late.beforeRun(encode), undefined);
  for (let step = 0; step < 16; step++) assertEquals(late.beforeRun(decode), undefined);
  for (let run = 0; run < 3; run++) assertEquals(late.beforeRun(gone), undefined);
  await late.beforeRun(encode);
  assertEquals(packed(), ["encode", "decode"]);
  // One that had not run gets them when it is used again.
  assertEquals(late.beforeRun(cross), undefined);
  assertEquals(packed(), ["encode", "decode"]);
  await late.beforeRun(cross);
  assertEquals(packed(), ["encode", "decode", "cross"]);
  for (const program of Object.values(programs)) assertEquals(late.beforeRun(program), undefined);
});

Deno.test("one of the programs that read the same parameters gets a packed copy: the first that is used again", async () => {
  const programs = { encode: reader("a"), decode: reader("b"), decodeBySlot: reader("b") };
  const { encode, decode, decodeBySlot } = programs;
  const { late, packed } = waiting(programs);
  late.beforeRun(encode);
  late.beforeRun(decodeBySlot);
  await late.beforeRun(encode);
  assertEquals(packed(), ["encode", "decodeBySlot"]);
  for (let step = 0; step < 3; step++) await late.beforeRun(decode);
  assertEquals(packed(), ["encode", "decodeBySlot"]);
});

Deno.test("programs get packed copies in the middle of a long text", async () => {
  const programs = { decode: reader("b") };
  const { late, packed } = waiting(programs);
  for (let step = 0; step < 128; step++) assertEquals(late.beforeRun(programs.decode), undefined);
  assertEquals(packed(), []);
  await late.beforeRun(programs.decode);
  assertEquals(packed(), ["decode"]);
});
