// Reading goldens: tensors that Python computed, in safetensors files.
import { openCheckpoint } from "../../src/checkpoint/mod.ts";
import { FileSource } from "../../src/hub/mod.ts";
import type { Tensor } from "../../src/tensor/mod.ts";

/** The tensors of one safetensors file, under the names in it. */
export async function readTensors(file: URL): Promise<Map<string, Tensor>> {
  const { pathname } = file;
  await using checkpoint = await openCheckpoint({
    name: pathname,
    open: (name) => name === "model.safetensors" ? FileSource.open(pathname) : Promise.resolve(undefined),
    readText: () => Promise.resolve(undefined),
    readBytes: () => Promise.resolve(undefined),
  });
  const tensors = new Map<string, Tensor>();
  for (const name of checkpoint.parameters.keys()) tensors.set(name, await checkpoint.read(name));
  return tensors;
}
