// The containers of PyTorch files, zip and legacy, made byte by byte: what lies in them is read, what lies about it is refused.
import { assert, assertEquals, assertRejects } from "@std/assert";
import { openWeightFile } from "../../src/checkpoint/open_weight_file.ts";
import { FormatError } from "../../src/errors/mod.ts";
import { file, four, read, refused, small, w } from "./torch_cases.ts";
import { bytes, little, op, pickle, torchLegacy, zip } from "./torch_file.ts";

Deno.test("large compressed storages are inflated beside this thread, and a damaged one is named", async () => {
  const noise = crypto.getRandomValues(new Uint8Array(1 << 16)); // longer than what deflate looks back on
  const large = new Uint8Array(9 << 20).map((_, i) => noise[i & 0xffff]);
  const view = op.tensor({ size: op.int(large.length / 4), shape: op.tuple(op.int(large.length / 4)) });
  const entries = [{ name: "a/data.pkl", data: pickle(w(view)) }, { name: "a/data/0", data: large, deflate: true }];
  const load = async (crc?: number) => {
    const table = await openWeightFile(file(zip([entries[0], { ...entries[1], crc }])));
    let ticks = 0;
    const timer = setInterval(() => ticks++, 1);
    try {
      return { ...(await table.get("w")!.load()), ticks };
    } finally {
      clearInterval(timer);
    }
  };
  const { data, ticks } = await load();
  assertEquals(new Uint8Array(data.buffer), large);
  // Where there is one core, this thread does it.
  assert(ticks > 0 || navigator.hardwareConcurrency === 1, "this thread was free meanwhile");
  await assertRejects(() => load(1), FormatError, `"a/data/0" has bytes of the CRC-32`);
});

Deno.test("a zip file whose directory lies is refused", async () => {
  const data = pickle(w(op.tensor({})));
  const entries = [{ name: "a/data.pkl", data }, { name: "a/data/0", data: four }];
  assertEquals(await read(zip(entries, { comment: "PK\x05\x06 is a fine comment" })), { w: [1, 2, 3, 4] });
  assertEquals(await read(zip(entries.map((entry) => ({ ...entry, deflate: true })))), { w: [1, 2, 3, 4] });
  assertEquals(await read(zip(entries.map((entry) => ({ ...entry, crc: 0 })))), { w: [1, 2, 3, 4] });
  const second = (change: object) => zip([entries[0], { ...entries[1], ...change }]);
  for (
    const [content, message] of [
      [second({ crc: 1 }), "expected 00000001"],
      [second({ deflate: true, crc: 1 }), "expected 00000001"],
      [second({ size: 17, packedSize: 17 }), "has 17 bytes, expected 16 bytes"],
      [second({ size: 17 }), "has two sizes"],
      [second({ size: 2 ** 31, packedSize: 2 ** 31 }), "reaches into the directory"],
      [second({ packedSize: 2 ** 32 - 1, size: 2 ** 32 - 1 }), "reaches into the directory"],
      [second({ deflate: true, size: 15 }), "has 15 bytes, expected 16"],
      [second({ method: 12 }), "packed by method 12"],
      [second({ method: 8 }), "cannot be inflated"],
      [second({ flags: 1 }), "is encrypted"],
      [second({ localName: "a/data/1" }), "is not where the directory says"],
      [second({ offset: 1 }), "is not where the directory says"],
      [second({ offset: 0 }), "is not where the directory says"],
      [second({ offset: 2 ** 31 }), "reaches into the directory"],
      [
        second({ offset: 2 ** 32 - 1, extra: bytes(little(1, 2), little(8, 2), little(2n ** 63n, 8)) }),
        "reaches into the directory",
      ],
      [
        second({ offset: 2 ** 32 - 1, extra: bytes(little(1, 2), little(2, 2), little(0, 2)) }),
        "reaches into the directory",
      ],
      [second({ name: "a/data.pkl" }), 'has "a/data.pkl" twice'],
      [second({ name: "b/data.pkl" }), "with 2 data.pkl, expected one"],
      [second({ name: "a/data/2" }), "a/data/0 is missing"],
      [second({ deflate: true, data: new Uint8Array(64 << 20) }), "would inflate to 67108864 bytes"],
      [zip([...entries, { name: "a/byteorder", data: bytes("big") }]), 'its byte order is "big"'],
      [zip(entries, { count: 3 }), "cut off or malformed"],
      [zip(entries, { count: 1 }), "but its entries end after"],
      [zip(entries, { size: 20 }), "cut off or malformed"],
      [zip(entries, { size: 2 ** 31 }), "its directory has 2147483648 bytes"],
      [zip(entries, { offset: 2 ** 31 }), "beyond its end"],
      [zip(entries, { disk: 1 }), "one of several volumes"],
      [zip([{ name: "data.pkl", data }]), "with 0 data.pkl"],
      [bytes("PK\x03\x04"), "it is cut off"],
    ] as [Uint8Array, string][]
  ) await refused(content, message);
  for (let length = 2; length < small.length; length += 3) await refused(small.subarray(0, length), "x.bin");
});

Deno.test("an entry's ZIP64 fields are read where the short ones are full", async () => {
  const data = pickle(w(op.tensor({})));
  const full = 2 ** 32 - 1;
  const offset = 30 + "a/data.pkl".length + data.length;
  const wide = (...values: number[]) =>
    bytes(
      little(7, 2),
      little(1, 2),
      0,
      little(1, 2),
      little(8 * values.length, 2),
      values.map((value) => little(value, 8)),
    );
  const second = {
    name: "a/data/0",
    data: four,
    offset: full,
    size: full,
    packedSize: full,
    extra: wide(16, 16, offset),
  };
  assertEquals(await read(zip([{ name: "a/data.pkl", data }, second])), { w: [1, 2, 3, 4] });
});

Deno.test("a legacy file whose parts disagree is refused", async () => {
  const value = w(op.tensor({ view: "N" }));
  const good: [string, number, Uint8Array][] = [["0", 4, four]];
  const s = op.string;
  for (
    const [content, message] of [
      [torchLegacy(value, good, { magic: "K\x01" }), "not one that torch.save wrote"],
      [torchLegacy(value, good, { version: op.int(1000) }), "its version is 1000, expected 1001"],
      [torchLegacy(value, good, { system: op.dict([s("little_endian"), "\x89"]) }), "big endian"],
      [torchLegacy(value, good, { keys: "N" }), "no list of storages"],
      [torchLegacy(value, good, { keys: ["](", s("1"), "e"] }), 'a storage "1" that its pickle does not name'],
      [torchLegacy(value, good, { keys: ["](", "K\x00", "e"] }), "a storage 0 that its pickle does not name"],
      [torchLegacy(value, good, { keys: "]" }), 'the storage of tensor "w" is missing'],
      [torchLegacy(value, [...good, ...good]), "it has the storage 0 twice"],
      [torchLegacy(value, [["0", 5, four]]), "has 5 elements, expected 4"],
      [torchLegacy(value, [["0", -1, four]]), "has -1 elements, expected 4"],
      [torchLegacy(value, [["0", 4, four.subarray(1)]]), "it ends inside the storage 0"],
      [torchLegacy(w(op.tensor({ size: op.int(2 ** 50) })), good), "it ends inside the storage 0"],
      [torchLegacy(w(op.tensor({ view: op.tuple(s("v"), op.int(2), op.int(3)) })), good), "ends beyond its 4 elements"],
      [
        torchLegacy(
          op.dict([s("a"), op.tensor({})], [s("b"), op.tensor({ type: op.global("torch", "IntStorage") })]),
          good,
        ),
        "has two types or sizes",
      ],
    ] as [Uint8Array, string][]
  ) await refused(content, message);
  const viewed = op.tensor({
    view: op.tuple(s("v"), op.int(1), op.int(3)),
    shape: op.tuple(op.int(2)),
    offset: op.int(1),
  });
  assertEquals(await read(torchLegacy(w(viewed), good)), { w: [3, 4] });
  const unnamed = op.dict([s("w"), op.tensor({})], ["N", op.tensor({ key: s("1") })]);
  assertEquals(await read(torchLegacy(unnamed, [["1", 4, four], ["0", 4, four]])), { w: [1, 2, 3, 4] });
  const whole = torchLegacy(value, good);
  for (let length = 1; length < whole.length; length += 2) await refused(whole.subarray(0, length), "x.bin");
});

Deno.test("what is no weight file is said to be none", async () => {
  await refused(bytes("version https://git-lfs.github.com/spec/v1\noid sha256:0"), "a Git LFS pointer");
  await refused(bytes("<!DOCTYPE html><html>"), "neither a safetensors file nor one that torch.save wrote");
  await refused(new Uint8Array(), "it is empty");
});
