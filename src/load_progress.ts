// How much of a model's weights has been read, told to whoever loads it.
import type { LoadOptions } from "./load_options.ts";
import type { ParameterSource } from "./graph/mod.ts";
import { bytesPerElement } from "./tensor/mod.ts";

/**
 * Watch what a backend reads of a model's parameters while it compiles.
 *
 * @param source The parameters.
 * @param onProgress Is told the bytes read and those there are.
 * @returns A source that tells of what is read, and what ends the watch: weights that a backend leaves in their file are
 * done then.
 */
export function watchReading(
  source: ParameterSource,
  onProgress: LoadOptions["onProgress"],
): [source: ParameterSource, finish: () => void] {
  if (!onProgress) return [source, () => {}];
  const sizes = new Map(
    [...source.parameters].map(([name, { dataType, shape }]) =>
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
  const watched: ParameterSource = {
    get parameters() {
      return source.parameters;
    },
    async read(name) {
      const tensor = await source.read(name);
      count(name, tensor.data.byteLength);
      return tensor;
    },
    partsOf(name) {
      const read = source.partsOf?.(name);
      return read && (async (offset, into) => {
        await read(offset, into);
        count(name, into.length);
      });
    },
  };
  return [watched, () => {
    sizes.clear();
    if (done < total) onProgress({ stage: "reading", done: total, total });
  }];
}
