// One weight file, whatever its format: told apart by its first bytes, not only by its name.
import { FormatError } from "../errors.ts";
import type { ByteSource } from "../hub/byte_source.ts";
import { openSafetensors } from "./safetensors.ts";
import type { TensorTable } from "./tensor_table.ts";

/**
 * Read the table of a weight file.
 *
 * @param source A safetensors file.
 * @returns Its tensors; each is read when it is loaded.
 * @throws {FormatError} If the file is malformed, or holds anything but tensors and plain data.
 */
export async function openWeightFile(source: ByteSource): Promise<TensorTable> {
  if (source.name.endsWith(".safetensors")) return await openSafetensors(source);
  throw new FormatError(`Cannot read ${source.name}: it is no safetensors file`, { file: source.name });
}
