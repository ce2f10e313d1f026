// Writing safetensors files, byte for byte as Python's safetensors writes them, with one tensor in memory at a time.
import { FormatError } from "../errors/mod.ts";
import { toPath } from "../hub/mod.ts";
import { PendingFile, syncFolder } from "../hub/atomic_file.ts";
import { bytesPerElement, type DataType, sizeOf, type Tensor } from "../tensor/mod.ts";
import { safetensorsTypes } from "./safetensors.ts";
import type { StoredWeight } from "../weights/mod.ts";

/** Tensors to write: their types and shapes are known from the start, each is read when it is written. A Checkpoint is one. */
export interface TensorSource {
  /** Type and shape by name. */
  readonly parameters: ReadonlyMap<string, Pick<StoredWeight, "dataType" | "shape">>;
  /** Read one; it must have the type and shape that are in `parameters`. */
  read(name: string): Promise<Tensor>;
}

/** Options of {@linkcode writeSafetensors}. */
export interface WriteOptions {
  /**
   * Text to put in the header; Transformers wants the format.
   *
   * @default {{ format: "pt" }}
   */
  metadata?: Readonly<Record<string, string>>;
  /** The most bytes of tensors in memory, so that the next ones are read while one is written. @default 0 one tensor */
  readAhead?: number;
  /** Stops the writing; the target stays as it was. */
  signal?: AbortSignal;
}

/** The order in which Python's safetensors writes types: wide ones first, so that each stays aligned. */
const typeOrder: readonly DataType[] = [
  "int64",
  "float64",
  "float32",
  "int32",
  "bfloat16",
  "float16",
  "int16",
  "int8",
  "uint8",
  "bool",
];

const typeNames = new Map([...safetensorsTypes].map(([name, type]) => [type, name]));

/**
 * Write a safetensors file. A file of that name is replaced when the new one is whole and on the disk.
 *
 * @param path The file, a path or a `file:` URL; its folder must exist.
 * @param tensors The tensors by name, or a source that reads them one by one.
 * @param options Metadata and signal.
 * @throws {FormatError} If a tensor is not what the source announced, or is called `__metadata__`.
 * @throws {WriteError} If the file cannot be written; one that was there stays as it was.
 */
export async function writeSafetensors(
  path: string | URL,
  tensors: TensorSource | ReadonlyMap<string, Tensor>,
  options: WriteOptions = {},
): Promise<void> {
  const file = toPath(path);
  const [, folder = ".", name] = /^(?:(.*)[/\\])?([^/\\]*)$/s.exec(file)!;
  using pending = await PendingFile.create(folder, name);
  await writeTensors(pending, file, sourceOf(tensors), options);
  await pending.flush();
  await pending.appear();
  await syncFolder(folder);
}

/** Write the header and the tensors of a file that does not have its name yet. */
export async function writeTensors(
  pending: PendingFile,
  file: string,
  source: TensorSource,
  options: WriteOptions,
): Promise<void> {
  const layout = layOut(source);
  await pending.write(headerOf(layout, options.metadata ?? { format: "pt" }, file));
  const reading: Promise<Tensor>[] = [];
  let next = 0, held = 0;
  const readAhead = () => {
    for (; next < layout.length; next++) {
      const { name, begin, end } = layout[next];
      if (held > 0 && held + end - begin > (options.readAhead ?? 0)) return;
      held += Math.max(1, end - begin);
      const tensor = source.read(name);
      tensor.catch(() => {}); // it is awaited below, where a failure is thrown
      reading.push(tensor);
    }
  };
  for (const { name, dataType, shape, begin, end } of layout) {
    options.signal?.throwIfAborted();
    readAhead();
    const tensor = await reading.shift()!;
    if (tensor.dataType !== dataType || tensor.shape.join() !== shape.join()) {
      throw new FormatError(
        `Cannot write ${file}: the tensor ${JSON.stringify(name)} is ${tensor.dataType} [${tensor.shape}], ` +
          `but ${dataType} [${shape}] was announced`,
        { file, tensor: name },
      );
    }
    await pending.write(new Uint8Array(tensor.data.buffer, tensor.data.byteOffset, tensor.data.byteLength));
    held -= Math.max(1, end - begin);
  }
}

/** A source of tensors that are already in memory. */
export function sourceOf(tensors: TensorSource | ReadonlyMap<string, Tensor>): TensorSource {
  if ("parameters" in tensors) return tensors;
  return { parameters: tensors, read: (name) => Promise.resolve(tensors.get(name)!) };
}

/** The bytes that a tensor takes in a file. */
export function byteLengthOf({ dataType, shape }: Pick<StoredWeight, "dataType" | "shape">): number {
  return sizeOf(shape) * bytesPerElement(dataType);
}

interface Placed {
  readonly name: string;
  readonly dataType: DataType;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

function layOut(source: TensorSource): Placed[] {
  const order = [...source.parameters].sort(([a, { dataType: x }], [b, { dataType: y }]) =>
    typeOrder.indexOf(x) - typeOrder.indexOf(y) || (a < b ? -1 : 1)
  );
  let end = 0;
  return order.map(([name, { dataType, shape }]) => {
    const begin = end;
    end += byteLengthOf({ dataType, shape });
    return { name, dataType, shape, begin, end };
  });
}

/** The length (8 bytes) and the JSON, padded with spaces to a multiple of 8. */
function headerOf(layout: readonly Placed[], metadata: Readonly<Record<string, string>>, file: string): Uint8Array {
  const members = Object.keys(metadata).length === 0 ? [] : [`"__metadata__":${JSON.stringify(metadata)}`];
  for (const { name, dataType, shape, begin, end } of layout) {
    if (name === "__metadata__") {
      throw new FormatError(`Cannot write ${file}: no tensor may be called __metadata__`, { file, tensor: name });
    }
    const entry = `{"dtype":"${typeNames.get(dataType)}","shape":[${shape}],"data_offsets":[${begin},${end}]}`;
    members.push(`${JSON.stringify(name)}:${entry}`);
  }
  const text = new TextEncoder().encode(`{${members.join(",")}}`);
  const header = new Uint8Array(8 + Math.ceil(text.length / 8) * 8).fill(0x20);
  new DataView(header.buffer).setBigUint64(0, BigInt(header.length - 8), true);
  header.set(text, 8);
  return header;
}
