// A checkpoint that torch.save wrote before PyTorch 1.6: five pickles (magic number, version, system, value, storage keys),
// then each storage as its number of elements (8 bytes) and its bytes.
import { FormatError } from "../../errors/mod.ts";
import type { ByteSource } from "../../hub/byte_source.ts";
import { bytesPerElement } from "../../tensor/mod.ts";
import { maxPickleBytes } from "../limits.ts";
import { readPickle } from "./pickle.ts";
import {
  describeValue,
  PickleDict,
  PickleFault,
  PickleList,
  type PickleResolver,
  type PickleValue,
} from "./pickle_values.ts";
import type { TensorTable } from "../tensor_table.ts";
import { collectTensors, type StorageBytes, tableOfViews } from "./torch_table.ts";
import { type StorageReference, type TensorView, torchResolver } from "./torch_resolver.ts";

const magicNumber = 0x1950a86a20f9469cfc6cn;
const protocolVersion = 1001;

/**
 * Read the table of a legacy checkpoint.
 *
 * @param source The file.
 * @returns Its tensors; each is read when it is loaded.
 * @throws {FormatError} If a pickle is malformed, or the storages after them are not those that the pickles describe.
 */
export async function openTorchLegacy(source: ByteSource): Promise<TensorTable> {
  const head = await source.read(0, Math.min(source.size, maxPickleBytes));
  const { views, references, keys, end } = readPickles(head, source.name);
  const storages = await locateStorages(source, references, keys, end);
  for (const [name, { storage }] of views) {
    if (!storages.has(storage.key)) {
      fail(source.name, `the storage of tensor ${JSON.stringify(name)} is missing`, end, name);
    }
  }
  return tableOfViews(source, views, storages);
}

interface Pickles {
  readonly views: Map<string, TensorView>;
  /** All storages that the value refers to, also those of tensors that have no name. */
  readonly references: Map<string, StorageReference>;
  readonly keys: PickleList;
  /** Where the storages begin. */
  readonly end: number;
}

function readPickles(head: Uint8Array, file: string): Pickles {
  const references = new Map<string, StorageReference>();
  const resolver: PickleResolver = {
    findGlobal: torchResolver.findGlobal,
    persistentLoad(id) {
      const storage = torchResolver.persistentLoad(id) as StorageReference;
      const other = references.get(storage.key);
      if (other && (other.storageSize !== storage.storageSize || other.dataType !== storage.dataType)) {
        throw new PickleFault(`the storage ${storage.key} has two types or sizes`);
      }
      references.set(storage.key, storage);
      return storage;
    },
  };
  let end = 0;
  const next = (): PickleValue => {
    const pickle = readPickle(head, resolver, { file, offset: 0 }, end);
    end = pickle.end;
    return pickle.value;
  };
  if (next() !== magicNumber) fail(file, "it is a pickle, but not one that torch.save wrote", 0);
  const version = next();
  if (version !== protocolVersion) {
    fail(file, `its version is ${describeValue(version)}, expected ${protocolVersion}`, end);
  }
  const system = next();
  if (system instanceof PickleDict && isBigEndian(system)) {
    fail(file, "its byte order is big endian, expected little", end);
  }
  const views = collectTensors(next(), file);
  const keys = next();
  if (!(keys instanceof PickleList)) fail(file, "no list of storages follows its pickle", end);
  return { views, references, keys, end };
}

/** Step from storage to storage in the order of `keys`. */
async function locateStorages(
  source: ByteSource,
  references: ReadonlyMap<string, StorageReference>,
  keys: PickleList,
  start: number,
): Promise<Map<string, StorageBytes>> {
  const file = source.name;
  const storages = new Map<string, StorageBytes>();
  let at = start;
  for (const key of keys.items) {
    const reference = typeof key === "string" ? references.get(key) : undefined;
    // Without a reference its element type, and so its length, is unknown.
    if (!reference) fail(file, `it has a storage ${describeValue(key)} that its pickle does not name`, at);
    if (storages.has(reference.key)) fail(file, `it has the storage ${reference.key} twice`, at);
    const offset = at + 8;
    const length = reference.storageSize * bytesPerElement(reference.dataType);
    if (offset + length > source.size) {
      fail(file, `it ends inside the storage ${reference.key}, which has ${length} bytes at ${offset}`, at);
    }
    const declared = new DataView((await source.read(at, 8)).buffer).getBigInt64(0, true);
    if (declared !== BigInt(reference.storageSize)) {
      fail(file, `the storage ${reference.key} has ${declared} elements, expected ${reference.storageSize}`, at);
    }
    storages.set(reference.key, { offset, read: (begin, size) => source.read(offset + begin, size) });
    at = offset + length;
  }
  return storages;
}

function fail(file: string, reason: string, offset: number, tensor?: string): never {
  throw new FormatError(`Cannot read ${file}: ${reason}`, { file, offset, tensor });
}

function isBigEndian(system: PickleDict): boolean {
  return system.entries.some((key, i) => i % 2 === 0 && key === "little_endian" && system.entries[i + 1] === false);
}
