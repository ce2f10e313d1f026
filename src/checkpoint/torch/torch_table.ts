// From a PyTorch checkpoint's unpickled value to a table of tensors: nested dictionaries become dotted names, and each
// view of a storage becomes a region of the file or is gathered when it is loaded.
import { FormatError } from "../../errors/mod.ts";
import type { ByteSource } from "../../hub/byte_source.ts";
import { bytesPerElement } from "../../tensor/mod.ts";
import { maxExpandedBytes, maxNameBytes, maxNamesBytes, maxNesting, maxPickleItems, maxTensors } from "../limits.ts";
import { describeValue, PickleDict, PickleList, type PickleValue } from "./pickle_values.ts";
import { gather, isContiguous } from "./strided_view.ts";
import type { StoredWeight } from "../../weights/mod.ts";
import { fileRegionOf, sizeWithin, tensorFromBytes, TensorTable } from "../tensor_table.ts";
import { TensorView } from "./torch_resolver.ts";

/** The bytes of one storage. */
export interface StorageBytes {
  /** Where they lie in the file; undefined if they are compressed. */
  readonly offset?: number;
  /** Read `length` of them from `begin`, into fresh memory. */
  read(begin: number, length: number): Promise<Uint8Array<ArrayBuffer>>;
}

/** The tensors in an unpickled value, by dotted name; all other values in it are ignored. */
export function collectTensors(root: PickleValue, file: string): Map<string, TensorView> {
  const found = new Map<string, TensorView>();
  let visited = 0, characters = 0;
  const fail = (reason: string, tensor?: string): never => {
    throw new FormatError(`Cannot read ${file}: ${reason}`, { file, tensor });
  };
  const visit = (value: PickleValue, path: string, depth: number): void => {
    // A value can be reached on many paths, so visits are counted, not values.
    if (++visited > 2 * maxPickleItems) fail("its values refer to each other too often");
    if (value instanceof TensorView) {
      if (found.has(path)) fail(`two tensors are called ${JSON.stringify(path)}`, path);
      if (found.size >= maxTensors) fail(`it has more than ${maxTensors} tensors`);
      if ((characters += path.length) > maxNamesBytes) fail(`its names have more than ${maxNamesBytes} characters`);
      found.set(path, value);
    } else if (value instanceof PickleDict || value instanceof PickleList || Array.isArray(value)) {
      if (depth >= maxNesting) fail(`it is nested deeper than ${maxNesting}`);
      for (const [key, item] of itemsOf(value)) {
        const name = path === "" ? key : `${path}.${key}`;
        if (name.length > maxNameBytes) fail(`a name is longer than ${maxNameBytes} characters`);
        visit(item, name, depth + 1);
      }
    }
  };
  if (!(root instanceof PickleDict)) fail(`it holds ${describeValue(root)}, expected a dictionary of tensors`);
  visit(root, "", 0);
  return found;
}

/** Keys as Python prints them, and values; the last of equal keys counts. Only strings and numbers are keys of tensors. */
function* itemsOf(value: PickleDict | PickleList | readonly PickleValue[]): Iterable<[string, PickleValue]> {
  if (!(value instanceof PickleDict)) {
    const items = value instanceof PickleList ? value.items : value;
    for (let i = 0; i < items.length; i++) yield [String(i), items[i]];
    return;
  }
  const entries = new Map<PickleValue, PickleValue>();
  for (let i = 0; i < value.entries.length; i += 2) entries.set(value.entries[i], value.entries[i + 1]);
  for (const [key, item] of entries) {
    if (typeof key === "string" || typeof key === "number") yield [String(key), item];
  }
}

/**
 * Make a table from views.
 *
 * @param source The file.
 * @param views The tensors by name.
 * @param storages Each storage's bytes by key, already checked to have the size that the pickle gives.
 * @returns The table; equal views are one object under several names.
 * @throws {FormatError} If the views together would take far more memory than the file has bytes.
 */
export function tableOfViews(
  source: ByteSource,
  views: ReadonlyMap<string, TensorView>,
  storages: ReadonlyMap<string, StorageBytes>,
): TensorTable {
  const table = new TensorTable();
  const known = new Map<string, StoredWeight>();
  const limit = maxExpandedBytes(source.size);
  let total = 0, touched = 0;
  for (const [name, view] of views) {
    const { storage, offset, shape, strides } = view;
    const key = JSON.stringify([storage.key, storage.dataType, storage.begin + offset, shape, strides]);
    let tensor = known.get(key);
    if (!tensor) {
      const width = bytesPerElement(storage.dataType);
      total += sizeWithin(shape, Infinity) * width;
      touched += spanOf(view) * width;
      // A strided view is read from its first element to its last, so many sparse ones could read a file very often.
      if (total > limit || touched > 16 * limit) {
        throw new FormatError(
          `Cannot read ${source.name}, tensor ${JSON.stringify(name)}: up to it the tensors take ${total} bytes ` +
            `and reach over ${touched}, too many for a file of ${source.size}`,
          { file: source.name, tensor: name },
        );
      }
      tensor = storedView(source, view, storages.get(storage.key)!);
      known.set(key, tensor);
    }
    table.set(name, tensor);
  }
  return table;
}

function storedView(source: ByteSource, view: TensorView, bytes: StorageBytes): StoredWeight {
  const { shape, strides } = view;
  const { dataType } = view.storage;
  const width = bytesPerElement(dataType);
  const begin = (view.storage.begin + view.offset) * width;
  const size = sizeWithin(shape, Infinity);
  const contiguous = isContiguous(shape, strides);
  const span = spanOf(view);
  return {
    dataType,
    shape,
    ...(contiguous && bytes.offset !== undefined && fileRegionOf(source, dataType, bytes.offset + begin, size * width)),
    async load() {
      const read = await bytes.read(begin, span * width);
      return tensorFromBytes(dataType, shape, contiguous ? read : gather(read, width, shape, strides, size), size);
    },
  };
}

/** The number of elements from a view's first to its last. */
function spanOf({ shape, strides }: TensorView): number {
  return shape.includes(0) ? 0 : shape.reduce((at, length, axis) => at + (length - 1) * strides[axis], 1);
}
