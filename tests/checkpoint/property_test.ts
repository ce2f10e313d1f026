// Property tests: what is written is read back, any strided view is what its definition says, and 20,000 damaged files
// give an error or a right reading, never a crash, a hang or a value from outside the file.
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { openWeightFile } from "../../src/checkpoint/open_weight_file.ts";
import { writeSafetensors } from "../../src/checkpoint/mod.ts";
import { openSafetensors, safetensorsTypes } from "../../src/checkpoint/safetensors.ts";
import { gather } from "../../src/checkpoint/torch/strided_view.ts";
import { parseShardIndex } from "../../src/checkpoint/shard_index.ts";
import type { TensorTable } from "../../src/checkpoint/tensor_table.ts";
import type { StoredWeight } from "../../src/weights/mod.ts";
import { FormatError } from "../../src/errors/mod.ts";
import { type ByteSource, FileSource, MemorySource } from "../../src/hub/mod.ts";
import { bytesPerElement, sizeOf, Tensor, viewArray } from "../../src/tensor/mod.ts";
import { processorTime } from "../process_cost.ts";

const fixtures = new URL("../fixtures/", import.meta.url).pathname;
const seed = 20_260_101; // fixed, so that a failure can be repeated

const anyTensor = fc.record({
  dataType: fc.constantFrom(...safetensorsTypes.values()),
  shape: fc.array(fc.nat(4), { maxLength: 4 }),
  fill: fc.infiniteStream(fc.nat(255)),
}).map(({ dataType, shape, fill }) => {
  const bytes = new Uint8Array(sizeOf(shape) * bytesPerElement(dataType));
  for (let i = 0; i < bytes.length; i++) bytes[i] = fill.next().value! & (dataType === "bool" ? 1 : 255);
  return new Tensor(dataType, shape, viewArray(dataType, bytes.buffer, 0, sizeOf(shape)));
});
const anyName = fc.oneof(fc.string(), fc.string({ unit: "binary" }), fc.constantFrom("__proto__", "constructor", ""));

function bits({ data }: Tensor): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

Deno.test("any tensors under any names come back bit by bit", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const named = fc.array(fc.tuple(anyName, anyTensor), { maxLength: 6 }).map((pairs) => new Map(pairs));
    await fc.assert(
      fc.asyncProperty(
        named,
        fc.dictionary(fc.string(), fc.string(), { noNullPrototype: true }),
        async (tensors, metadata) => {
          const path = `${folder}/x.safetensors`;
          await writeSafetensors(path, tensors, { metadata });
          const table = await openWeightFile((await FileSource.open(path))!);
          assertEquals([...table.keys()].sort(), [...tensors.keys()].sort());
          for (const [name, tensor] of tensors) {
            const read = await table.get(name)!.load();
            assertEquals([read.dataType, read.shape, bits(read)], [tensor.dataType, tensor.shape, bits(tensor)]);
          }
        },
      ),
      { numRuns: 200, seed },
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("gather() copies the element that each index's strides lead to", () => {
  const axis = fc.record({ length: fc.nat(5), stride: fc.nat(7) });
  fc.assert(
    fc.property(fc.array(axis, { maxLength: 4 }), fc.constantFrom(1, 2, 4, 8), (axes, width) => {
      const shape = axes.map(({ length }) => length), strides = axes.map(({ stride }) => stride);
      const size = sizeOf(shape);
      const span = size === 0 ? 0 : axes.reduce((at, { length, stride }) => at + (length - 1) * stride, 1);
      const source = Uint8Array.from({ length: span * width }, (_, i) => i * 31);
      const expected: number[] = [];
      for (let i = 0; i < size; i++) {
        let rest = i, from = 0;
        for (let a = shape.length - 1; a >= 0; a--) {
          from += (rest % shape[a]) * strides[a];
          rest = Math.floor(rest / shape[a]);
        }
        for (let byte = 0; byte < width; byte++) expected.push(source[from * width + byte]);
      }
      assertEquals(gather(source, width, shape, strides, size), Uint8Array.from(expected));
    }),
    { numRuns: 2000, seed },
  );
});

/** A change of a file: where (a fraction of its length, or a small offset from an end) and what. */
const anyChange = fc.record({
  kind: fc.constantFrom("flip", "flip", "set", "set", "number", "number", "cut", "delete", "insert", "copy", "copy"),
  place: fc.oneof(fc.double({ min: 0, max: 1, noNaN: true }), fc.integer({ min: -200, max: 200 })),
  from: fc.double({ min: 0, max: 1, noNaN: true }),
  length: fc.integer({ min: 1, max: 24 }),
  byte: fc.oneof(fc.nat(255), fc.constantFrom(0, 1, 0x2e, 0x30, 0x39, 0x7f, 0x80, 0xff)),
  number: fc.constantFrom(0n, 1n, 0x7fffffffn, 0x80000000n, 0xffffffffn, 2n ** 53n, 2n ** 63n - 1n, 2n ** 64n - 1n),
});
type Change = typeof anyChange extends fc.Arbitrary<infer T> ? T : never;

function apply(file: Uint8Array<ArrayBuffer>, change: Change): Uint8Array<ArrayBuffer> {
  const { kind, place, length, byte } = change;
  const end = file.length - 1;
  const at = Number.isInteger(place)
    ? place < 0 ? Math.max(0, end + place) : Math.min(end, place)
    : Math.floor(place * end);
  const join = (...parts: Uint8Array[]) => {
    const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
    parts.reduce((to, part) => (joined.set(part, to), to + part.length), 0);
    return joined;
  };
  if (kind === "cut") return file.slice(0, at);
  if (kind === "delete") return join(file.subarray(0, at), file.subarray(at + length));
  if (kind === "insert") return join(file.subarray(0, at), new Uint8Array(length).fill(byte), file.subarray(at));
  const changed = file.slice();
  if (kind === "flip") changed[at] ^= 1 << (byte & 7);
  else if (kind === "set") changed[at] = byte;
  else if (kind === "number") {
    const width = [1, 2, 4, 8][length % 4];
    for (let i = 0; i < width && at + i <= end; i++) changed[at + i] = Number((change.number >> BigInt(8 * i)) & 255n);
  } else changed.copyWithin(at, Math.floor(change.from * end), Math.floor(change.from * end) + length);
  return changed;
}

/** A file in memory that claims to be on disk, so that tensors get regions; it notes reads outside of it. */
class WatchedSource implements ByteSource {
  readonly path: string;
  readonly size: number;
  readonly #memory: MemorySource;

  constructor(readonly name: string, readonly bytes: Uint8Array) {
    this.path = name;
    this.size = bytes.length;
    this.#memory = new MemorySource(name, bytes);
  }

  read(offset: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
    assert(offset >= 0 && length >= 0 && offset + length <= this.size, `${length} bytes at ${offset} of ${this.size}`);
    return this.#memory.read(offset, length);
  }
}

async function checkTensor(source: WatchedSource, name: string, stored: StoredWeight): Promise<void> {
  const tensor = await stored.load();
  assertEquals([tensor.dataType, tensor.shape], [stored.dataType, stored.shape], name);
  if (tensor.dataType === "bool") {
    assert(tensor.data.every((value: number | bigint) => value === 0 || value === 1), name);
  }
  if (!stored.region) return;
  const { offset, byteLength } = stored.region;
  const inFile = source.bytes.subarray(offset, offset + byteLength);
  assert(offset + byteLength <= source.size && byteLength === tensor.data.byteLength, name);
  assertEquals(bits(tensor), new Uint8Array(inFile), name);
}

/** The header of a safetensors file by the book: JSON.parse, and each tensor where its offsets say. */
function checkByTheBook(source: WatchedSource, table: TensorTable): void {
  const length = Number(new DataView(source.bytes.buffer, source.bytes.byteOffset).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(source.bytes.subarray(8, 8 + length)));
  delete header.__metadata__;
  assertEquals(Object.keys(header).length, table.size);
  for (
    const [name, entry] of Object.entries(header) as [
      string,
      { dtype: string; shape: number[]; data_offsets: number[] },
    ][]
  ) {
    const { dataType, shape, region } = table.get(name)!;
    assertEquals([dataType, shape], [safetensorsTypes.get(entry.dtype)!, entry.shape]);
    if (region) assertEquals(region.offset, 8 + length + entry.data_offsets[0]);
  }
}

const files = [
  "checkpoints/types.safetensors",
  "bad/safetensors/ok.safetensors",
  "checkpoints/types_no_crc.bin", // so that damage of the pickle gets past the check of sums
  "bad/torch_bin/ok_views.bin",
  "checkpoints/types_zip.bin",
  "checkpoints/types_legacy.bin",
  "checkpoints/types_deflated.bin",
  "checkpoints/nested_protocol2.bin",
  "checkpoints/nested_protocol4.bin",
  "checkpoints/nested_legacy.bin",
];

for (const name of files) {
  Deno.test(`2000 damaged copies of ${name} give an error or a right reading`, async () => {
    const original = await Deno.readFile(fixtures + name);
    let errors = 0, readings = 0;
    const property = fc.asyncProperty(fc.array(anyChange, { minLength: 1, maxLength: 3 }), async (changes) => {
      const source = new WatchedSource(name, changes.reduce(apply, original));
      const started = processorTime();
      try {
        const table = await openWeightFile(source);
        for (const [key, stored] of table) await checkTensor(source, key, stored);
        if (name.endsWith(".safetensors")) checkByTheBook(source, table);
        readings++;
      } catch (error) {
        if (!(error instanceof FormatError)) throw error;
        assert(error.message.length < 1000 && !error.message.includes("\n"), error.message);
        errors++;
      }
      assert(processorTime() - started < 2000, "it took too long");
    });
    await fc.assert(property, { numRuns: 2000, seed });
    assertEquals(errors + readings, 2000);
    assert(errors > 500 && readings > 20, `${errors} errors, ${readings} readings`);
  });
}

Deno.test("any JSON is an index of plain file names or an error", () => {
  const near = fc.record({
    weight_map: fc.dictionary(fc.string(), fc.oneof(fc.string(), fc.webPath(), fc.jsonValue())),
  });
  fc.assert(
    fc.property(fc.oneof(fc.json(), fc.string(), near.map((value) => JSON.stringify(value))), (text) => {
      try {
        for (const file of parseShardIndex(text, "index").values()) {
          assertEquals(new URL(encodeURIComponent(file), "http://x/folder/").pathname.split("/").length, 3);
          assert(!/[/\\:\0]/.test(file) && file !== ".." && file !== "." && file !== "", file);
        }
      } catch (error) {
        if (!(error instanceof FormatError)) throw error;
      }
    }),
    { numRuns: 2000, seed },
  );
});

Deno.test("any bytes as header of a safetensors file are refused or agree with JSON.parse", async () => {
  const text = fc.oneof(fc.json(), fc.string(), fc.string({ unit: fc.constantFrom(...'{}[]":,0129.eE- \\u"') }));
  await fc.assert(
    fc.asyncProperty(text, async (header) => {
      const encoded = new TextEncoder().encode(header);
      const bytes = new Uint8Array(8 + encoded.length);
      new DataView(bytes.buffer).setBigUint64(0, BigInt(encoded.length), true);
      bytes.set(encoded, 8);
      const source = new WatchedSource("x.safetensors", bytes);
      try {
        checkByTheBook(source, await openSafetensors(source));
      } catch (error) {
        if (!(error instanceof FormatError)) throw error;
      }
    }),
    { numRuns: 3000, seed },
  );
});
