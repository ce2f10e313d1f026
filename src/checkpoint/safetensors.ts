// Reading a safetensors file: a length (8 bytes), a JSON header, then the tensors' bytes without a hole.
// https://github.com/huggingface/safetensors#format
import { FormatError } from "../errors/mod.ts";
import type { ByteSource } from "../hub/byte_source.ts";
import { bytesPerElement, type DataType, sizeOf } from "../tensor/mod.ts";
import { maxHeaderBytes } from "./limits.ts";
import { type Header, parseHeader } from "./safetensors_header.ts";
import type { StoredWeight } from "../weights/mod.ts";
import { fileRegionOf, sizeWithin, tensorFromBytes, TensorTable } from "./tensor_table.ts";

/** The types that are read, by the format's names for them. */
export const safetensorsTypes: ReadonlyMap<string, DataType> = new Map<string, DataType>([
  ["F64", "float64"],
  ["F32", "float32"],
  ["F16", "float16"],
  ["BF16", "bfloat16"],
  ["I64", "int64"],
  ["I32", "int32"],
  ["I16", "int16"],
  ["I8", "int8"],
  ["U8", "uint8"],
  ["BOOL", "bool"],
]);

/** The bits of an element of the types that the format has and Limner does not read. */
const otherTypes: ReadonlyMap<string, number> = new Map([
  ...["U64", "C64"].map((name) => [name, 64] as const),
  ["U32", 32],
  ["U16", 16],
  ...["F8_E4M3", "F8_E5M2", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ"].map((name) => [name, 8] as const),
  ...["F6_E2M3", "F6_E3M2"].map((name) => [name, 6] as const),
  ["F4", 4],
]);

/**
 * Read the table of a safetensors file.
 *
 * @param source The file.
 * @returns Its tensors; each is read when it is loaded.
 * @throws {FormatError} If the header is malformed, or the tensors do not fill the file without hole and overlap.
 */
export async function openSafetensors(source: ByteSource): Promise<TensorTable> {
  const { tensors, dataStart } = await readHeader(source);
  const table = new TensorTable();
  let covered = 0;
  for (const [name, entry] of [...tensors].sort(([, a], [, b]) => a.begin - b.begin || a.end - b.end)) {
    const offset = dataStart + entry.begin;
    if (entry.begin !== covered || entry.end < entry.begin) {
      const found = `its data_offsets are [${entry.begin}, ${entry.end}]`;
      throw fault(source, `${found}, expected to begin at ${covered} where the previous one ends`, offset, name);
    }
    covered = entry.end;
    const bits = bitsOf(entry.dtype);
    const length = entry.end - entry.begin, size = sizeWithin(entry.shape, 8 * length / (bits ?? 8));
    if (bits && size * bits !== 8 * length) {
      const found = `its shape [${entry.shape}] of ${entry.dtype} does not fit its ${length} bytes`;
      throw fault(source, found, offset, name);
    }
    const dataType = safetensorsTypes.get(entry.dtype);
    if (dataType) {
      table.set(name, storedTensor(source, dataType, entry.shape, offset));
      continue;
    }
    const quantised = bits && bits <= 8 ? ": dequantise the model before it is saved" : "";
    const expected = `expected one of ${[...safetensorsTypes.keys()].join(" ")}${quantised}`;
    const unreadable = fault(source, `its dtype is ${JSON.stringify(entry.dtype)}, ${expected}`, offset, name);
    if (!bits) throw unreadable;
    table.unreadable.set(name, unreadable);
  }
  const end = dataStart + covered;
  if (end !== source.size) throw fault(source, `its tensors end at byte ${end}, but the file at ${source.size}`, end);
  return table;
}

/** The header, and where the tensors' bytes begin. */
async function readHeader(source: ByteSource): Promise<Header & { dataStart: number }> {
  if (source.size < 10) {
    throw fault(source, `it has ${source.size} bytes, the shortest safetensors file has 10`, 0);
  }
  // One read returns the length and, of most files, the whole header.
  const head = await source.read(0, Math.min(source.size, 1 << 16));
  const length = new DataView(head.buffer).getBigUint64(0, true);
  if (length > BigInt(maxHeaderBytes)) {
    throw fault(source, `its header claims ${length} bytes, at most ${maxHeaderBytes} are allowed`, 0);
  }
  const dataStart = 8 + Number(length);
  if (dataStart > source.size) {
    throw fault(source, `its header claims ${length} bytes, but only ${source.size - 8} follow`, 0);
  }
  const header = dataStart <= head.length ? head.subarray(8, dataStart) : await source.read(8, Number(length));
  return { ...parseHeader(header, source.name), dataStart };
}

/** The bits of an element; undefined if its length is not known. */
function bitsOf(dtype: string): number | undefined {
  const dataType = safetensorsTypes.get(dtype);
  return dataType ? 8 * bytesPerElement(dataType) : otherTypes.get(dtype);
}

function storedTensor(source: ByteSource, dataType: DataType, shape: readonly number[], offset: number): StoredWeight {
  const size = sizeOf(shape), length = size * bytesPerElement(dataType);
  return {
    dataType,
    shape,
    ...fileRegionOf(source, dataType, offset, length),
    load: async () => tensorFromBytes(dataType, shape, await source.read(offset, length), size),
  };
}

function fault({ name: file }: ByteSource, reason: string, offset: number, tensor?: string): FormatError {
  const where = tensor === undefined ? "" : `, tensor ${JSON.stringify(tensor)}`;
  return new FormatError(`Cannot read ${file}${where}: ${reason}`, { file, offset, tensor });
}
