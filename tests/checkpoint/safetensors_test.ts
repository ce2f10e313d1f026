// Reading safetensors files: what Python reads, read alike; what is malformed, refused with the place of the fault.
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { openCheckpoint, readCheckpoint } from "../../src/checkpoint/mod.ts";
import { openSafetensors } from "../../src/checkpoint/safetensors.ts";
import { FormatError, HubError } from "../../src/errors/mod.ts";
import { MemorySource, openRepository, type Repository } from "../../src/hub/mod.ts";
import type { Tensor } from "../../src/tensor/mod.ts";

const fixtures = new URL("../fixtures/", import.meta.url);

/** A safetensors file in memory. */
function file(header: unknown, data: ArrayLike<number> = [], declared?: bigint): MemorySource {
  return new MemorySource("x.safetensors", bytesOf(header, data, declared));
}

function bytesOf(header: unknown, data: ArrayLike<number> = [], declared?: bigint): Uint8Array {
  const text = new TextEncoder().encode(typeof header === "string" ? header : JSON.stringify(header));
  const bytes = new Uint8Array(8 + text.length + data.length);
  new DataView(bytes.buffer).setBigUint64(0, declared ?? BigInt(text.length), true);
  bytes.set(text, 8);
  bytes.set(data, 8 + text.length);
  return bytes;
}

async function refused(source: MemorySource, message: string): Promise<FormatError> {
  const error = await assertRejects(() => openSafetensors(source), FormatError, message);
  assert(error.message.startsWith("Cannot read x.safetensors"), error.message);
  assertEquals(error.details.file, "x.safetensors");
  return error;
}

const f32 = (shape: unknown, begin: number, end: number) => ({ dtype: "F32", shape, data_offsets: [begin, end] });

Deno.test("openSafetensors() reads every data type", async () => {
  const header = {
    f64: { dtype: "F64", shape: [1], data_offsets: [0, 8] },
    i64: { dtype: "I64", shape: [], data_offsets: [8, 16] },
    f32: { dtype: "F32", shape: [1, 1], data_offsets: [16, 20] },
    i32: { dtype: "I32", shape: [1], data_offsets: [20, 24] },
    f16: { dtype: "F16", shape: [1], data_offsets: [24, 26] },
    bf16: { dtype: "BF16", shape: [1], data_offsets: [26, 28] },
    i16: { dtype: "I16", shape: [1], data_offsets: [28, 30] },
    i8: { dtype: "I8", shape: [1], data_offsets: [30, 31] },
    u8: { dtype: "U8", shape: [1], data_offsets: [31, 32] },
    bool: { dtype: "BOOL", shape: [2], data_offsets: [32, 34] },
    empty: { dtype: "F32", shape: [0, 3], data_offsets: [34, 34] },
  };
  const data = new DataView(new ArrayBuffer(34));
  data.setFloat64(0, Math.PI, true);
  data.setBigInt64(8, -5n, true);
  data.setFloat32(16, 1.5, true);
  data.setInt32(20, -70000, true);
  data.setUint16(24, 0x3e00, true); // 1.5
  data.setUint16(26, 0xc040, true); // -3
  data.setInt16(28, -300, true);
  data.setInt8(30, -7);
  data.setUint8(31, 200);
  data.setUint8(32, 9); // true, though not 1
  const table = await openSafetensors(file(header, new Uint8Array(data.buffer)));
  const lists: Record<string, unknown> = {};
  for (const [name, stored] of table) {
    assertEquals(stored.region, undefined);
    lists[name] = (await stored.load()).toList();
  }
  assertEquals(lists, {
    f64: [Math.PI],
    i64: -5,
    f32: [[1.5]],
    i32: [-70000],
    f16: [1.5],
    bf16: [-3],
    i16: [-300],
    i8: [-7],
    u8: [200],
    bool: [1, 0],
    empty: [],
  });
});

Deno.test("openSafetensors() refuses a header that lies about its length", async () => {
  await refused(new MemorySource("x.safetensors", new Uint8Array(7)), "it has 7 bytes");
  await refused(file("{}", [], 3n), "claims 3 bytes, but only 2 follow");
  await refused(file("{}", [], 2n ** 63n), "claims 9223372036854775808 bytes");
  await refused(file("{}", [], 2n ** 64n - 1n), "claims 18446744073709551615 bytes");
  await refused(file("{}", [], 0n), "there is no {");
});

Deno.test("openSafetensors() refuses holes, overlaps and bytes past the end", async () => {
  const four = new Uint8Array(8);
  assertEquals((await refused(file({ a: f32([1], 0, 4), b: f32([1], 0, 4) }, four), 'tensor "b"')).details.tensor, "b");
  await refused(file({ a: f32([1], 0, 4), b: f32([1], 2, 6) }, four), "expected to begin at 4");
  await refused(file({ a: f32([1], 4, 8) }, four), "expected to begin at 0");
  await refused(file({ a: f32([1], 0, 4) }, four), "but the file at");
  await refused(file({ a: f32([3], 0, 12) }, four), "but the file at");
  await refused(file({ a: f32([1], 4, 0) }, four), 'tensor "a"');
  await refused(file({ a: f32([2], 0, 8), e: f32([0], 4, 4) }, four), 'tensor "e"');
});

Deno.test("openSafetensors() refuses shapes that do not fit the bytes, also by overflow", async () => {
  const eight = new Uint8Array(8);
  for (const shape of [[], [1], [3], [2, 2], [2 ** 40, 2 ** 40], [2 ** 32, 2 ** 32, 2], [2 ** 53 - 1, 2 ** 53 - 1]]) {
    await refused(file({ a: f32(shape, 0, 8) }, eight), "does not fit its 8 bytes");
  }
  await refused(file({ a: f32([0, 2 ** 53 - 1, 2 ** 53 - 1], 0, 0) }), "does not fit its 0 bytes");
  await refused(file({ a: f32(Array(33).fill(1), 0, 4) }, eight), "more than 32 numbers");
  await refused(file({ a: { dtype: "F32", shape: [1], data_offsets: [0, 4, 8] } }, eight), "more than 2 numbers");
  await refused(
    file({ a: { dtype: "F7", shape: [8], data_offsets: [0, 8] } }, eight),
    'its dtype is "F7", expected one',
  );
  await refused(file({ a: { dtype: "F8_E4M3", shape: [7], data_offsets: [0, 8] } }, eight), "does not fit its 8 bytes");
  await refused(file({ a: { dtype: "F6_E2M3", shape: [9], data_offsets: [0, 8] } }, eight), "does not fit its 8 bytes");
});

Deno.test("a tensor of a type that is not read is refused when it is needed, and only then", async () => {
  const others: [dtype: string, shape: number[], bytes: number][] = [
    ["F8_E5M2", [8], 8],
    ["U16", [2, 2], 8],
    ["F4", [4, 4], 8],
    ["F6_E3M2", [4], 3],
    ["C64", [], 8],
    ["U64", [0], 0],
  ];
  for (const [dtype, shape, bytes] of others) {
    const header = { w: f32([1], 0, 4), scale: { dtype, shape, data_offsets: [4, 4 + bytes] } };
    const repository = memoryRepository({ "model.safetensors": bytesOf(header, new Uint8Array(4 + bytes)) });
    const checkpoint = await openCheckpoint(repository);
    assertEquals([...checkpoint.parameters.keys()], ["w"]);
    assertEquals((await checkpoint.read("w")).size, 1);
    assertEquals(checkpoint.find("none"), undefined);
    const error = assertThrows(() => checkpoint.find("scale"), FormatError, `its dtype is "${dtype}", expected one of`);
    assertEquals(error.details.tensor, "scale");
    await assertRejects(() => checkpoint.read("scale"), FormatError, dtype);
  }
  const folder = await Deno.makeTempDir();
  try {
    const header = { w: f32([1], 0, 4), scale: { dtype: "U32", shape: [1], data_offsets: [4, 8] } };
    await Deno.writeFile(`${folder}/model.safetensors`, bytesOf(header, new Uint8Array(8)));
    await assertRejects(() => readCheckpoint(folder), FormatError, 'tensor "scale": its dtype is "U32"');
    await Deno.rename(`${folder}/model.safetensors`, `${folder}/a.safetensors`);
    const index = JSON.stringify({ weight_map: { w: "a.safetensors", scale: "a.safetensors" } });
    await Deno.writeTextFile(`${folder}/model.safetensors.index.json`, index);
    await assertRejects(() => readCheckpoint(folder), FormatError, 'tensor "scale": its dtype is "U32"');
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("openSafetensors() refuses a header that is not exactly the format's JSON, at the byte", async () => {
  const eight = new Uint8Array(8);
  const offsets = '"data_offsets":[0,8]';
  for (
    const [header, message] of [
      ["[]", "at byte 8 of the safetensors header, there is no {"],
      ["{} x", "at byte 11 of the safetensors header, something follows"],
      ["{", "there is no"],
      ['{"a', "a string does not end"],
      ['{"a":1}', "there is no {"],
      ['{"a":{}}', "it has no dtype"],
      [`{"a":{"dtype":"F32",${offsets}}}`, "it has no shape"],
      ['{"a":{"dtype":"F32","shape":[2]}}', "no two data_offsets"],
      [`{"a":{"dtype":"F32","shape":[2.0],${offsets}}}`, "no whole number"],
      [`{"a":{"dtype":"F32","shape":[2e0],${offsets}}}`, "no whole number"],
      [`{"a":{"dtype":"F32","shape":[-2],${offsets}}}`, "no whole number"],
      [`{"a":{"dtype":"F32","shape":[02],${offsets}}}`, "no whole number"],
      [`{"a":{"dtype":"F32","shape":[9007199254740993],${offsets}}}`, "larger than any file"],
      [`{"a":{"dtype":"F32","shape":[2],"shape":[2],${offsets}}}`, "comes twice"],
      [`{"a":{"dtype":"F32","shape":[2],"x":{},${offsets}}}`, '"x" is unknown'],
      [`{"a":{"dtype":"F32","shape":[2],${offsets}},"a":{"dtype":"F32","shape":[2],${offsets}}}`, '"a" comes twice'],
      [
        `{"a":{"dtype":"F32","shape":[2],${offsets}},"\\u0061":{"dtype":"F32","shape":[2],${offsets}}}`,
        '"a" comes twice',
      ],
      ['{"__metadata__":{"a":1}}', 'there is no "'],
      ['{"__metadata__":{"a":"1","a":"2"}}', '"a" comes twice'],
      ['{"__metadata__":{},"__metadata__":{}}', "__metadata__ comes twice"],
      ['{"a\\x":{}}', "a wrong escape"],
      ['{"a\n":{}}', "a control character"],
      [`{"${"a".repeat(5000)}":{}}`, "longer than 4096 bytes"],
      ["{".repeat(100_000), 'there is no "'],
    ]
  ) await refused(file(header, eight), message);
  await refused(
    new MemorySource("x.safetensors", new Uint8Array([6, 0, 0, 0, 0, 0, 0, 0, 123, 34, 255, 34, 58, 125])),
    "not UTF-8",
  );
});

Deno.test("openSafetensors() reads a header alike, however it is spelt", async () => {
  const names = ["a.b-c/d [0]{1}", "x".repeat(300), "é", "\\"];
  const header = Object.fromEntries(
    [...names, "scalar", "empty"].map((name, i) =>
      [
        name,
        f32(name === "scalar" ? [] : [name === "empty" ? 0 : 1, 1], 4 * Math.min(i, 5), 4 * Math.min(i + 1, 5)),
      ] as const
    ),
  );
  const data = Float32Array.from([1, 2, 3, 4, 5]);
  for (const asked of [["a.b-c/d [0]{1}", "scalar", "empty"], [...names, "scalar", "empty"]]) {
    let at = 0;
    const fields = Object.fromEntries(asked.map((name) => {
      const { shape } = header[name];
      const end = at + (name === "empty" ? 0 : 4);
      return [name, f32(shape, at, at = end)];
    }));
    for (const described of [{}, { __metadata__: { format: "pt" } }, { __metadata__: { format: "pt", more: "é" } }]) {
      const text = JSON.stringify({ ...described, ...fields });
      const tables = await Promise.all(
        [text, `${text}   `, ` ${text}`, JSON.stringify({ ...described, ...fields }, null, 1)].map(async (spelt) => {
          const table = await openSafetensors(file(spelt, new Uint8Array(data.buffer, 0, at)));
          return await Promise.all([...table].map(async ([name, { load }]) => [name, (await load()).toList()]));
        }),
      );
      assertEquals(tables[0].map(([name]) => name), asked);
      for (const table of tables) assertEquals(table, tables[0]);
    }
  }
  // What the usual spelling does not save from.
  const entry = '"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}';
  await refused(file(`{${entry},${entry}}`, [0]), 'the tensor "a" comes twice');
  await refused(file(`{${entry.replace("[1]", "[01]")}}`, [0]), "there is no whole number");
  await refused(file(`{${entry}}x`, [0]), "something follows");
  await refused(file(`${entry.replace('"a"', ',"a"')}}`, [0]), "there is no {");
  await refused(file(`{${entry}{${entry.replace("a", "b")}}`, [0]), "there is no }");
});

Deno.test("openSafetensors() keeps names like __proto__ ordinary", async () => {
  const table = await openSafetensors(
    file(
      `{"__proto__":${JSON.stringify(f32([1], 0, 4))},"constructor":${JSON.stringify(f32([1], 4, 8))}}`,
      new Uint8Array(8),
    ),
  );
  assertEquals([...table.keys()], ["__proto__", "constructor"]);
  assertEquals(Object.keys(Object.prototype), []);
});

Deno.test("openCheckpoint() gives regions in the real file, behind symbolic links", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const real = new URL("models/vit_bert/model.safetensors", fixtures).pathname;
    await Deno.symlink(real, `${folder}/model.safetensors`);
    await using checkpoint = await openCheckpoint(await openRepository(folder));
    const bytes = await Deno.readFile(real);
    assert(checkpoint.parameters.size > 50);
    for (const [name, { region, shape, dataType }] of checkpoint.parameters) {
      assertEquals(region?.path, await Deno.realPath(real));
      const tensor: Tensor = await checkpoint.read(name);
      assertEquals([tensor.shape, tensor.dataType], [shape, dataType]);
      const read = new Uint8Array(tensor.data.buffer, tensor.data.byteOffset, tensor.data.byteLength);
      assertEquals(read, bytes.subarray(region!.offset, region!.offset + region!.byteLength));
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

/** A repository of files in memory. */
function memoryRepository(files: Record<string, string | Uint8Array>): Repository {
  const bytes = (name: string) => {
    const content = files[name];
    return typeof content === "string" ? new TextEncoder().encode(content) : content;
  };
  return {
    name: "memory",
    // deno-lint-ignore require-await
    open: async (name) => Object.hasOwn(files, name) ? new MemorySource(name, bytes(name)) : undefined,
    // deno-lint-ignore require-await
    readBytes: async (name) => Object.hasOwn(files, name) ? new Uint8Array(bytes(name)) : undefined,
    // deno-lint-ignore require-await
    readText: async (name) => Object.hasOwn(files, name) ? new TextDecoder().decode(bytes(name)) : undefined,
  };
}

Deno.test("openCheckpoint() maps LayerNorm.gamma and beta, and refuses two tensors of one name", async () => {
  const both = (second: string) =>
    memoryRepository({
      "model.safetensors": bytesOf(
        { "x.LayerNorm.gamma": f32([1], 0, 4), [second]: f32([1], 4, 8) },
        new Uint8Array(8),
      ),
    });
  const checkpoint = await openCheckpoint(both("LayerNorm.beta"));
  assertEquals([...checkpoint.parameters.keys()], ["x.LayerNorm.weight", "LayerNorm.bias"]);
  assertEquals([...(await openCheckpoint(both("MyLayerNorm.beta"))).parameters.keys()][1], "MyLayerNorm.beta");
  await assertRejects(() => openCheckpoint(both("x.LayerNorm.weight")), FormatError, "x.LayerNorm.weight");
});

Deno.test("openCheckpoint() names the files it looked for, and Checkpoint.read() the missing parameter", async () => {
  await assertRejects(
    () => openCheckpoint(memoryRepository({})),
    HubError,
    "none of model.safetensors, model.safetensors.index.json, pytorch_model.bin, pytorch_model.bin.index.json",
  );
  const checkpoint = await openCheckpoint(memoryRepository({ "model.safetensors": bytesOf("{}") }));
  assertEquals(checkpoint.parameters.size, 0);
  await assertRejects(() => checkpoint.read("w"), FormatError, '"w": the checkpoint has no such tensor');
  checkpoint.close();
  await assertRejects(() => checkpoint.read("w"), FormatError, '"w": the checkpoint is closed');
});

Deno.test("openCheckpoint() reads shards, and refuses an index that lies or leads out of the folder", async () => {
  const shard = (name: string) => bytesOf({ [name]: f32([1], 0, 4) }, new Uint8Array(4));
  const open = (weight_map: unknown) =>
    openCheckpoint(memoryRepository({
      "model.safetensors.index.json": typeof weight_map === "string" ? weight_map : JSON.stringify({ weight_map }),
      "a.safetensors": shard("a"),
      "b.safetensors": shard("b"),
      "also_b.safetensors": shard("b"),
    }));
  const good = await open({ a: "a.safetensors", b: "b.safetensors" });
  assertEquals([...good.parameters.keys()], ["a", "b"]);
  for (
    const name of [
      "../x.safetensors",
      "/etc/hostname",
      "sub/x",
      "..",
      ".",
      "",
      "C:x",
      "..\\x",
      7,
      null,
      ["a"],
      "a\0",
    ]
  ) {
    await assertRejects(() => open({ a: name }), FormatError, "expected the name of a file beside it");
  }
  await assertRejects(() => open({ a: "none.safetensors" }), FormatError, "names the file none.safetensors");
  await assertRejects(() => open({ a: "a.safetensors", c: "b.safetensors" }), FormatError, 'lacks the tensor "c"');
  await assertRejects(
    () => open('{"weight_map": {"a": "a.safetensors", "c": "also_b.safetensors", "d": "b.safetensors"}}'),
    FormatError,
    'another shard has a tensor "b"',
  );
  for (
    const index of ["", "[]", "{}", '{"weight_map": []}', '{"weight_map": null}', '{"__proto__": {"weight_map": {}}}']
  ) {
    await assertRejects(() => open(index), FormatError, "model.safetensors.index.json");
  }
});
