// Reading a safetensors file: a length (8 bytes), a JSON header, then the tensors' bytes without a hole.
// https://github.com/huggingface/safetensors#format
import { FormatError } from "../errors.ts";
import type { ByteSource } from "../hub/byte_source.ts";
import { bytesPerElement, type DataType } from "../tensor/mod.ts";
import { maxHeaderBytes } from "./limits.ts";
import { type HeaderEntry, parseHeader } from "./safetensors_header.ts";
import { regionOf, sizeWithin, type StoredTensor, tensorOf, type TensorTable } from "./tensor_table.ts";

/** The types we read, by the format's names for them. */
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

/**
 * Read the table of a safetensors file.
 *
 * @param source The file.
 * @returns Its tensors; each is read when it is loaded.
 * @throws {FormatError} If the header is malformed, or the tensors do not fill the file without hole and overlap.
 */
export async function openSafetensors(source: ByteSource): Promise<TensorTable> {
  const file = source.name;
  const fail = (reason: string, details: { offset?: number; tensor?: string } = {}): never => {
    const tensor = details.tensor === undefined ? "" : `, tensor ${JSON.stringify(details.tensor)}`;
    throw new FormatError(`Cannot read ${file}${tensor}: ${reason}`, { file, ...details });
  };
  if (source.size < 10) fail(`it has ${source.size} bytes, the shortest safetensors file has 10`, { offset: 0 });
  // One read brings the length and, in most files, the whole header.
  const head = await source.read(0, Math.min(source.size, 1 << 16));
  const length = new DataView(head.buffer).getBigUint64(0, true);
  if (length > BigInt(maxHeaderBytes)) {
    fail(`its header claims ${length} bytes, at most ${maxHeaderBytes} are allowed`, { offset: 0 });
  }
  const dataStart = 8 + Number(length);
  if (dataStart > source.size) {
    fail(`its header claims ${length} bytes, but only ${source.size - 8} follow`, { offset: 0 });
  }
  const header = dataStart <= head.length ? head.subarray(8, dataStart) : await source.read(8, Number(length));
  const { tensors } = parseHeader(header, file);

  const table: TensorTable = new Map();
  const entries = [...tensors].sort(([, a], [, b]) => a.begin - b.begin || a.end - b.end);
  let covered = 0;
  for (const [name, entry] of entries) {
    if (entry.begin !== covered || entry.end < entry.begin) {
      fail(
        `its data_offsets are [${entry.begin}, ${entry.end}], expected to begin at ${covered} where the one before ends`,
        {
          tensor: name,
          offset: dataStart + entry.begin,
        },
      );
    }
    covered = entry.end;
    const tensor = storedTensor(source, dataStart, name, entry);
    if (typeof tensor === "string") fail(tensor, { tensor: name, offset: dataStart + entry.begin });
    else table.set(name, tensor);
  }
  if (dataStart + covered !== source.size) {
    fail(`its tensors end at byte ${dataStart + covered}, but the file at ${source.size}`, {
      offset: dataStart + covered,
    });
  }
  return table;
}

/** The tensor of an entry, or what is wrong with it. */
function storedTensor(source: ByteSource, start: number, name: string, entry: HeaderEntry): StoredTensor | string {
  const { dtype, shape, begin, end } = entry;
  const dataType = safetensorsTypes.get(dtype);
  if (!dataType) {
    return `its dtype is ${JSON.stringify(dtype)}, expected one of ${[...safetensorsTypes.keys()].join(" ")}`;
  }
  const length = end - begin;
  const size = sizeWithin(shape, length / bytesPerElement(dataType));
  if (size * bytesPerElement(dataType) !== length) {
    return `its shape [${shape}] of ${dtype} does not fit its ${length} bytes`;
  }
  return {
    dataType,
    shape,
    region: regionOf(source, dataType, start + begin, length),
    identity: name,
    load: async () => tensorOf(dataType, shape, await source.read(start + begin, length), size),
  };
}
