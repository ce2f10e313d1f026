// One weight file of any format. The format follows from the first bytes, or from the name if it ends in .safetensors.
import { FormatError } from "../errors/mod.ts";
import type { ByteSource } from "../hub/byte_source.ts";
import { refuseLfsPointer } from "../hub/lfs_pointer.ts";
import { openSafetensors } from "./safetensors.ts";
import type { TensorTable } from "./tensor_table.ts";

/**
 * Read the table of a weight file.
 *
 * @param source A safetensors file, or one that torch.save wrote (zip or legacy).
 * @returns Its tensors; each is read when it is loaded.
 * @throws {FormatError} If the file is malformed, or holds anything other than tensors and plain data.
 */
export async function openWeightFile(source: ByteSource): Promise<TensorTable> {
  const beginning = await source.read(0, Math.min(source.size, 64));
  refuseLfsPointer(beginning, source.name);
  const text = String.fromCharCode(...beginning);
  if (source.name.endsWith(".safetensors")) return await openSafetensors(source);
  // Imported when needed: a model in safetensors starts without the pickle reader and zlib.
  if (text.startsWith("PK")) return await (await import("./torch/torch_zip.ts")).openTorchZip(source);
  if (text.startsWith("\x80")) return await (await import("./torch/torch_legacy.ts")).openTorchLegacy(source);
  if (text[8] === "{") return await openSafetensors(source);
  const reason = source.size === 0
    ? "it is empty"
    : "it is neither a safetensors file nor one that torch.save wrote (zip or pickle)";
  throw new FormatError(`Cannot read ${source.name}: ${reason}`, { file: source.name, offset: 0 });
}
