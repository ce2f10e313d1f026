// The index of a sharded checkpoint: for each tensor, which of the files beside it holds it.
import { FormatError } from "../errors/mod.ts";
import { isRecord, parseJson } from "../hub/mod.ts";
import { maxIndexBytes, maxIndexObjects, maxTensors } from "./limits.ts";

/**
 * Parse `model.safetensors.index.json` or `pytorch_model.bin.index.json`.
 *
 * @param text The index.
 * @param file What messages call it.
 * @returns The shard's file name of each tensor.
 * @throws {FormatError} If it has no `weight_map`, or the map names anything but files in the index's own folder.
 */
export function parseShardIndex(text: string, file: string): Map<string, string> {
  const fail = (reason: string, key?: string): never => {
    throw new FormatError(`Cannot read ${file}: ${reason}`, { file, key });
  };
  if (text.length > maxIndexBytes) fail(`it is longer than ${maxIndexBytes} bytes`);
  // Strings take the memory of their text, but empty lists would take forty times as much.
  if (countOpenings(text) > maxIndexObjects) fail(`it has more than ${maxIndexObjects} lists and objects`);
  const index = parseJson(text, file);
  const map = isRecord(index) && Object.hasOwn(index, "weight_map") ? index.weight_map : undefined;
  if (!isRecord(map)) fail("it has no object weight_map", "weight_map");
  const shards = new Map(Object.entries(map as Record<string, unknown>));
  if (shards.size > maxTensors) fail(`weight_map has more than ${maxTensors} tensors`, "weight_map");
  for (const [name, shard] of shards) {
    if (typeof shard !== "string" || !isPlainFileName(shard)) {
      fail(
        `weight_map sends ${JSON.stringify(name)} to ${
          JSON.stringify(shard)?.slice(0, 200)
        }, expected the name of a file beside it`,
        `weight_map.${name}`,
      );
    }
  }
  return shards as Map<string, string>;
}

/** How often `{` and `[` occur. */
function countOpenings(text: string): number {
  let count = 0;
  for (let i = 0; i < text.length; i++) if (text[i] === "{" || text[i] === "[") count++;
  return count;
}

/** Whether `name` is one file in the same folder: no separator, no drive, not `.` or `..`. */
function isPlainFileName(name: string): boolean {
  return name.length > 0 && name.length < 256 && !/[/\\:\0]/.test(name) && name !== "." && name !== "..";
}
