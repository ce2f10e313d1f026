// How much of a model's weights has been read, reported to whoever loads it.
import type { LoadOptions } from "./load_options.ts";
import type { ModelParameters } from "../models/mod.ts";
import { bytesPerElement } from "../tensor/mod.ts";

/**
 * Watch what a backend reads of a model's parameters while it compiles.
 *
 * @param onProgress Is called with the bytes read and those there are.
 * @returns What ends the watch: weights that a backend leaves in their file are done then.
 */
export function watchReading(
  parameters: ModelParameters,
  onProgress: LoadOptions["onProgress"],
): () => void {
  if (!onProgress) return () => {};
  const sizes = new Map(
    [...parameters.parameters].map(([name, { dataType, shape }]) =>
      [name, bytesPerElement(dataType) * shape.reduce((product, length) => product * length, 1)] as const
    ),
  );
  const total = [...sizes.values()].reduce((sum, size) => sum + size, 0);
  let done = 0;
  onProgress({ stage: "compiling", done: 0 });
  onProgress({ stage: "reading", done, total });
  // Each byte is counted once, and none after the model was loaded.
  const count = (name: string, bytes: number) => {
    const rest = Math.min(bytes, sizes.get(name) ?? 0);
    if (rest === 0) return;
    sizes.set(name, sizes.get(name)! - rest);
    onProgress({ stage: "reading", done: done += rest, total });
  };
  parameters.watch((name, stored) => ({
    ...stored,
    async load() {
      const tensor = await stored.load();
      count(name, tensor.data.byteLength);
      return tensor;
    },
    blocks: stored.blocks && {
      ...stored.blocks,
      async load() {
        const blocks = await stored.blocks!.load();
        count(name, Infinity);
        return blocks;
      },
    },
    readInto: stored.readInto && (async (offset, into) => {
      await stored.readInto!(offset, into);
      count(name, into.length);
    }),
  }));
  return () => {
    sizes.clear();
    if (done < total) onProgress({ stage: "reading", done: total, total });
  };
}
