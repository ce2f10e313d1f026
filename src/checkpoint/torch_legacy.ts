// A checkpoint that torch.save wrote before PyTorch 1.6: five pickles (magic number, version, system, value, storage keys),
// then each storage as its number of elements (8 bytes) and its bytes.
import { FormatError } from "../errors.ts";
import type { ByteSource } from "../hub/byte_source.ts";
import { bytesPerElement } from "../tensor/mod.ts";
import { maxPickleBytes } from "./limits.ts";
import { readPickle } from "./pickle.ts";
import { PickleDict, PickleList, type PickleValue } from "./pickle_values.ts";
import type { TensorTable } from "./tensor_table.ts";
import { collectTensors, type StorageBytes, tableOfViews } from "./torch_table.ts";
import { type StorageReference, torchWorld } from "./torch_world.ts";

const magicNumber = 0x1950a86a20f9469cfc6cn;
const protocolVersion = 1001;

/**
 * Read the table of a legacy checkpoint.
 *
 * @param source The file.
 * @returns Its tensors; each is read when it is loaded.
 * @throws {FormatError} If a pickle is malformed, or the storages do not follow as the pickles say.
 */
export async function openTorchLegacy(source: ByteSource): Promise<TensorTable> {
  const file = source.name;
  const fail = (reason: string, offset: number, tensor?: string): never => {
    throw new FormatError(`Cannot read ${file}: ${reason}`, { file, offset, tensor });
  };
  const head = await source.read(0, Math.min(source.size, maxPickleBytes));
  let at = 0;
  const next = (): PickleValue => {
    const { value, end } = readPickle(head, torchWorld, { file, offset: 0 }, at);
    at = end;
    return value;
  };
  if (next() !== magicNumber) fail("it is a pickle, but not one that torch.save wrote", 0);
  const version = next();
  if (version !== protocolVersion) fail(`its version is ${version}, expected ${protocolVersion}`, at);
  const system = next();
  if (system instanceof PickleDict && isBigEndian(system)) fail("its byte order is big endian, expected little", at);
  const views = collectTensors(next(), file);
  const keys = next();
  if (!(keys instanceof PickleList)) return fail("no list of storages follows its pickle", at);

  const references = new Map<string, StorageReference>();
  for (const [name, { storage }] of views) {
    const other = references.get(storage.key);
    if (other && (other.root !== storage.root || other.dataType !== storage.dataType)) {
      fail(`the storage of tensor ${JSON.stringify(name)} has two types or sizes`, at, name);
    }
    references.set(storage.key, storage);
  }
  const storages = new Map<string, StorageBytes>();
  for (const key of keys.items) {
    const reference = typeof key === "string" ? references.get(key) : undefined;
    // Its element type, and so its length, would be unknown.
    if (!reference) return fail(`it has a storage ${String(key).slice(0, 80)} that no tensor uses`, at);
    if (storages.has(reference.key)) fail(`it has the storage ${reference.key} twice`, at);
    const length = reference.root * bytesPerElement(reference.dataType);
    if (at + 8 + length > source.size) {
      fail(`it ends inside the storage ${reference.key}, which has ${length} bytes at ${at + 8}`, at);
    }
    const count = at + 8 <= head.length ? head.subarray(at, at + 8) : await source.read(at, 8);
    const declared = new DataView(count.buffer, count.byteOffset).getBigInt64(0, true);
    if (declared !== BigInt(reference.root)) {
      fail(`the storage ${reference.key} has ${declared} elements, expected ${reference.root}`, at);
    }
    const offset = at + 8;
    storages.set(reference.key, { offset, read: (begin, size) => source.read(offset + begin, size) });
    at = offset + length;
  }
  for (const [name, { storage }] of views) {
    if (!storages.has(storage.key)) fail(`the storage of tensor ${JSON.stringify(name)} is missing`, at, name);
  }
  return tableOfViews(source, views, storages);
}

function isBigEndian(system: PickleDict): boolean {
  return system.entries.some((key, i) => i % 2 === 0 && key === "little_endian" && system.entries[i + 1] === false);
}
