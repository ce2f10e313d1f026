// One weight file, whatever its format: told apart by its first bytes, and by its name only if that says safetensors.
import { FormatError } from "../errors.ts";
import type { ByteSource } from "../hub/byte_source.ts";
import { openSafetensors } from "./safetensors.ts";
import type { TensorTable } from "./tensor_table.ts";

/**
 * Read the table of a weight file.
 *
 * @param source A safetensors file, or one that torch.save wrote (zip or legacy).
 * @returns Its tensors; each is read when it is loaded.
 * @throws {FormatError} If the file is malformed, or holds anything but tensors and plain data.
 */
export async function openWeightFile(source: ByteSource): Promise<TensorTable> {
  const text = String.fromCharCode(...await source.read(0, Math.min(source.size, 64)));
  const pointer = text.startsWith("version https://git-lfs");
  if (source.name.endsWith(".safetensors") && !pointer) return await openSafetensors(source);
  // Imported when needed: a model in safetensors starts without the pickle reader and zlib.
  if (text.startsWith("PK")) return await (await import("./torch_zip.ts")).openTorchZip(source);
  if (text.startsWith("\x80")) return await (await import("./torch_legacy.ts")).openTorchLegacy(source);
  if (text[8] === "{") return await openSafetensors(source);
  const reason = pointer
    ? "it is a Git LFS pointer, not the weights: fetch the file itself"
    : source.size === 0
    ? "it is empty"
    : "it is neither a safetensors file nor one that torch.save wrote (zip or pickle)";
  throw new FormatError(`Cannot read ${source.name}: ${reason}`, { file: source.name, offset: 0 });
}
