// Small weight files for tests, and functions that read them and check what is refused.
import { assert, assertEquals, assertRejects } from "@std/assert";
import { openWeightFile } from "../../src/checkpoint/open_weight_file.ts";
import { FormatError } from "../../src/errors/mod.ts";
import { MemorySource } from "../../src/hub/mod.ts";
import type { NestedNumbers } from "../../src/tensor/mod.ts";
import { type Bytes, op, torchZip } from "./torch_file.ts";

/** The numbers 1 to 4, float32. */
export const four: Uint8Array<ArrayBuffer> = new Uint8Array(new Float32Array([1, 2, 3, 4]).buffer);
/** A dictionary of one value. */
export const w = (value: Bytes): Bytes => op.dict([op.string("w"), value]);
/** A file of bytes. */
export const file = (content: Uint8Array): MemorySource => new MemorySource("x.bin", content);

/** The tensors of a file. */
export async function read(content: Uint8Array): Promise<Record<string, NestedNumbers>> {
  const lists: Record<string, NestedNumbers> = {};
  for (const [name, stored] of await openWeightFile(file(content))) lists[name] = (await stored.load()).toList();
  return lists;
}

/** Check that a file is refused with a message. */
export async function refused(content: Uint8Array, message: string): Promise<FormatError> {
  const error = await assertRejects(() => read(content), FormatError, message);
  assert(error.message.startsWith("Cannot read x.bin") && error.message.length < 600, error.message);
  assertEquals(error.details.file, "x.bin");
  return error;
}

/** A small file of one tensor. */
export const small: Uint8Array<ArrayBuffer> = torchZip(w(op.tensor({})), { 0: four });
