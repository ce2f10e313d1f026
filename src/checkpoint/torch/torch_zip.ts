// A checkpoint that torch.save wrote since PyTorch 1.6: a zip archive with ROOT/data.pkl, which describes the tensors, and
// a file ROOT/data/KEY for each storage, as a rule uncompressed.
import { FormatError } from "../../errors/mod.ts";
import type { ByteSource } from "../../hub/byte_source.ts";
import { bytesPerElement } from "../../tensor/mod.ts";
import { maxPickleBytes } from "../limits.ts";
import { readPickle } from "./pickle.ts";
import type { TensorTable } from "../tensor_table.ts";
import { collectTensors, type StorageBytes, tableOfViews } from "./torch_table.ts";
import { torchResolver } from "./torch_resolver.ts";
import { ZipArchive, type ZipEntry } from "./zip.ts";

/**
 * Read the table of a zip checkpoint.
 *
 * @param source The file.
 * @returns Its tensors; each is read when it is loaded.
 * @throws {FormatError} If the archive or its pickle is malformed, or a storage is missing or has another size.
 */
export async function openTorchZip(source: ByteSource): Promise<TensorTable> {
  const file = source.name;
  const archive = await ZipArchive.open(source);
  const pickles = [...archive.entries.values()].filter(({ name }) => /^[^/]+\/data\.pkl$/.test(name));
  if (pickles.length !== 1) {
    throw new FormatError(`Cannot read ${file}: it is a zip file with ${pickles.length} data.pkl, expected one`, {
      file,
    });
  }
  const [pickle] = pickles;
  const root = pickle.name.slice(0, -"data.pkl".length);
  if (pickle.size > maxPickleBytes) {
    throw new FormatError(
      `Cannot read ${file}: ${pickle.name} has ${pickle.size} bytes, at most ${maxPickleBytes} are allowed`,
      { file },
    );
  }
  await checkByteOrder(archive, root);
  const offset = pickle.deflated ? 0 : await archive.dataOffset(pickle);
  const { value } = readPickle(await archive.read(pickle), torchResolver, { file, offset });
  const views = collectTensors(value, file);

  const storages = new Map<string, StorageBytes>();
  for (const [name, { storage }] of views) {
    const entry = archive.entries.get(`${root}data/${storage.key}`);
    const expected = storage.storageSize * bytesPerElement(storage.dataType);
    if (entry?.size !== expected) {
      const found = entry ? `has ${entry.size} bytes` : "is missing";
      throw new FormatError(
        `Cannot read ${file}, tensor ${JSON.stringify(name)}: its storage ${root}data/${storage.key} ${found}, ` +
          `expected ${expected} bytes`,
        { file, tensor: name, offset: entry?.headerOffset },
      );
    }
    if (!storages.has(storage.key)) storages.set(storage.key, await storageBytes(archive, entry));
  }
  return tableOfViews(source, views, storages);
}

async function storageBytes(archive: ZipArchive, entry: ZipEntry): Promise<StorageBytes> {
  if (entry.deflated) {
    return {
      async read(begin, length) {
        const whole = await archive.read(entry);
        return length === whole.length ? whole : whole.slice(begin, begin + length);
      },
    };
  }
  const offset = await archive.dataOffset(entry);
  return {
    offset,
    async read(begin, length) {
      const bytes = await archive.source.read(offset + begin, length);
      if (length === entry.size) archive.check(entry, bytes, offset);
      return bytes;
    },
  };
}

async function checkByteOrder(archive: ZipArchive, root: string): Promise<void> {
  const entry = archive.entries.get(`${root}byteorder`);
  if (!entry) return; // files before PyTorch 2.1
  const order = entry.size > 16 ? "" : new TextDecoder().decode(await archive.read(entry));
  if (order === "little") return;
  throw new FormatError(
    `Cannot read ${archive.source.name}: its byte order is ${JSON.stringify(order)}, expected "little"`,
    { file: archive.source.name },
  );
}
