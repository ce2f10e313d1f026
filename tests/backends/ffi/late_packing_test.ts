import { assertEquals } from "@std/assert";
import { LatePacking } from "../../../backends/ffi/late_packing.ts";
import type { ParameterReader } from "../../../backends/onnx/session/mod.ts";

/** Programs that note when they are packed. */
function readers(packed: string[], ...names: string[]): ParameterReader[] {
  return names.map((name) => ({
    fromFile: new Set<string>(),
    fromMemory: new Set<string>(),
    packed: false,
    reload: () => Promise.resolve(),
    pack: () => Promise.resolve(void packed.push(name)),
    dropSession: () => {},
  }));
}

Deno.test("programs get packed copies together, when one of them runs for a second time", async () => {
  const packed: string[] = [];
  const [encode, decode, shared] = readers(packed, "encode", "decode", "shared");
  const late = new LatePacking();
  late.add(encode, false);
  late.add(decode, true);
  late.add(shared, false);
  late.delete(shared);
  assertEquals(late.beforeRun(encode), undefined);
  for (let step = 0; step < 16; step++) assertEquals(late.beforeRun(decode), undefined);
  for (let run = 0; run < 2; run++) assertEquals(late.beforeRun(shared), undefined);
  await late.beforeRun(encode);
  assertEquals(packed, ["encode", "decode"]);
  for (const program of [encode, decode, shared]) assertEquals(late.beforeRun(program), undefined);
});

Deno.test("programs get packed copies in the middle of a long text", async () => {
  const packed: string[] = [];
  const [decode] = readers(packed, "decode");
  const late = new LatePacking();
  late.add(decode, true);
  for (let step = 0; step < 128; step++) assertEquals(late.beforeRun(decode), undefined);
  await late.beforeRun(decode);
  assertEquals(packed, ["decode"]);
});
