// PyTorch files made byte by byte: what the format allows is read, what a hostile file could try is refused by name.
import { assert, assertEquals } from "@std/assert";
import { openWeightFile } from "../../src/checkpoint/open_weight_file.ts";
import { FormatError } from "../../src/errors/mod.ts";
import type { NestedNumbers } from "../../src/tensor/mod.ts";
import { file, four, read, refused, small, w } from "./torch_cases.ts";
import { type Bytes, bytes, concat, little, op, torchLegacy, torchZip, zip } from "./torch_file.ts";

Deno.test("openWeightFile() reads zip and legacy files, and safetensors under another name", async () => {
  assertEquals(await read(small), { w: [1, 2, 3, 4] });
  assertEquals(await read(torchLegacy(w(op.tensor({ view: "N" })), [["0", 4, four]])), { w: [1, 2, 3, 4] });
  const header = '{"w":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}';
  assertEquals(await read(bytes(little(header.length, 8), header, four)), { w: [1, 2, 3, 4] });
});

Deno.test("a tensor of any offset, shape and strides inside its storage is read", async () => {
  const cases: [offset: number, shape: number[], strides: number[], expected: NestedNumbers][] = [
    [0, [2, 2], [2, 1], [[1, 2], [3, 4]]],
    [0, [2, 2], [1, 2], [[1, 3], [2, 4]]],
    [1, [3], [1], [2, 3, 4]],
    [1, [2], [2], [2, 4]],
    [3, [], [], 4],
    [2, [2, 2], [0, 1], [[3, 4], [3, 4]]],
    [0, [3, 2], [1, 1], [[1, 2], [2, 3], [3, 4]]],
    [2, [1, 2], [99, 1], [[3, 4]]],
    [1, [2, 1, 1], [2, 7, 9], [[[2]], [[4]]]],
    [4, [0, 5], [1, 1], []],
  ];
  for (const [offset, shape, strides, expected] of cases) {
    const [at, sizes, steps] = [op.int(offset), op.tuple(...shape.map(op.int)), op.tuple(...strides.map(op.int))];
    const value = w(op.tensor({ offset: at, shape: sizes, strides: steps }));
    assertEquals(await read(torchZip(value, { 0: four })), { w: expected });
    assertEquals(await read(torchLegacy(value, [["0", 4, four]])), { w: expected });
  }
});

Deno.test("a tensor that reaches beyond its storage is refused", async () => {
  const huge = op.int(2 ** 52);
  const minus: Bytes = ["J", little(-1n, 4)];
  const parts = [
    { offset: op.int(1) },
    { offset: huge },
    { offset: minus },
    { offset: "N" },
    { shape: op.tuple(op.int(5)) },
    { shape: op.tuple(huge) },
    { shape: op.tuple(minus) },
    { shape: op.tuple(op.string("4")) },
    { shape: op.tuple(["G\x3f\xf8", new Uint8Array(6)]) },
    { shape: "N" },
    { shape: ")" },
    { shape: op.tuple(op.int(2), op.int(2)), strides: op.tuple(op.int(2), op.int(2)) },
    { strides: op.tuple(op.int(2)) },
    { strides: op.tuple(huge) },
    { strides: op.tuple(minus) },
    { shape: op.tuple(huge, huge, huge), strides: op.tuple(op.int(0), op.int(0), op.int(0)) },
    { shape: op.tuple(op.int(0), huge, huge), strides: op.tuple(op.int(0), op.int(0), op.int(0)) },
    { shape: op.tuple(...Array(33).fill(op.int(1))), strides: op.tuple(...Array(33).fill(op.int(1))) },
    { size: op.int(3) },
    { size: minus },
    { size: huge },
  ];
  for (const [i, part] of parts.entries()) {
    const outcome = await read(torchZip(w(op.tensor(part)), { 0: four })).then(() => "read", (error) => error);
    assert(outcome instanceof FormatError, `case ${i}: ${outcome}`);
  }
  // Expanded to more than such a small file may ask for.
  const expanded = op.tensor({ shape: op.tuple(op.int(2 ** 30), op.int(4)), strides: op.tuple(op.int(0), op.int(1)) });
  await refused(torchZip(w(expanded), { 0: four }), "too many for a file of");
});

Deno.test("many names of one tensor cost one, many views of a storage are bounded", async () => {
  const data = new Uint8Array(1 << 20);
  const view = (offset: number) =>
    op.tensor({
      size: op.int(1 << 18),
      offset: op.int(offset),
      shape: op.tuple(op.int((1 << 18) - 1000)),
    });
  const tied = op.dict(...Array.from({ length: 200 }, (_, i): [Bytes, Bytes] => [op.string(`t${i}`), view(0)]));
  const table = await openWeightFile(file(torchZip(tied, { 0: data })));
  assertEquals([table.size, new Set(table.values()).size], [200, 1]);
  const views = op.dict(...Array.from({ length: 200 }, (_, i): [Bytes, Bytes] => [op.string(`t${i}`), view(i)]));
  await refused(torchZip(views, { 0: data }), "too many for a file of");
  const thin = (offset: number) =>
    op.tensor({
      size: op.int(1 << 18),
      offset: op.int(offset),
      shape: op.tuple(op.int(2)),
      strides: op.tuple(op.int((1 << 18) - 1000)),
    });
  const pairs = op.dict(...Array.from({ length: 900 }, (_, i): [Bytes, Bytes] => [op.string(`t${i}`), thin(i)]));
  await refused(torchZip(pairs, { 0: data }), "too many for a file of");
});

Deno.test("everything a pickle could call is refused by its name", async () => {
  const call = (
    module: string,
    name: string,
  ): Bytes => [op.global(module, name), op.tuple(op.string("touch /tmp/x")), "R"];
  for (
    const [module, name] of [
      ["posix", "system"],
      ["nt", "system"],
      ["os", "system"],
      ["subprocess", "Popen"],
      ["builtins", "eval"],
      ["builtins", "exec"],
      ["builtins", "getattr"],
      ["__builtin__", "apply"],
      ["torch", "load"],
      ["torch.hub", "load"],
      ["torch._utils", "_rebuild_sparse_tensor"],
      ["torch.storage", "_load_from_bytes"],
      ["torch._utils", "_rebuild_tensor_v2.__globals__"],
      ["torch", "_utils._rebuild_tensor_v2"],
      ["torch", "QInt8Storage"],
      ["torch", "ComplexFloatStorage"],
      ["numpy.core.multiarray", "_reconstruct"],
      ["collections", "Counter"],
      ["__proto__", "constructor"],
      ["constructor", "prototype"],
    ]
  ) {
    const error = await refused(
      torchZip(w(call(module, name)), { 0: four }),
      `it names ${module}.${name}, which is not`,
    );
    assert(error.details.offset! > 30);
    const stacked: Bytes = [op.string(module), op.string(name), "\x93", op.tuple(), "R"];
    await refused(torchZip(w(stacked), {}), `it names ${module}.${name}, which is not`);
    await refused(torchZip(w(["(i", `${module}\n${name}\n`]), {}), `it calls ${module}.${name}`);
  }
  for (
    const [value, message] of [
      [["(", op.global("collections", "OrderedDict"), "o"], "OBJ is not allowed"],
      [["\x82\x01"], "EXT1 is not allowed"],
      [["Pid\n"], "PERSID is not allowed"],
      [[op.global("collections", "OrderedDict"), ")}", "\x92"], "NEWOBJ_EX is not allowed"],
      [["\xff"], "0xff is no opcode"],
      [["K\x01", ")R"], "it calls 1, which cannot be called"],
      [[op.global("torch", "float32"), ")R"], "it calls torch.float32, which cannot be called"],
      [[op.global("torch", "FloatStorage"), ")R"], "it calls torch.FloatStorage, which cannot be called"],
      [[op.global("collections", "OrderedDict"), "K\x01R"], "with 1, expected a tuple"],
      [[op.tensor({}), op.dict(), "b"], "it sets the state of a tensor"],
      [[op.global("collections", "OrderedDict"), ")RK\x01b"], "it sets the state of a dictionary"],
      [[op.global("torch._utils", "_rebuild_parameter"), op.tuple("K\x01"), "R"], "makes a parameter of 1"],
      [[op.global("torch._utils", "_rebuild_tensor_v2"), op.tuple("K\x01"), "R"], "makes a tensor of no storage"],
      [[
        op.global("torch._tensor", "_rebuild_from_type_v2"),
        op.tuple("N", op.global("torch", "Tensor"), ")", "N"),
        "R",
      ], "type"],
      [[op.string("storage"), "Q"], "outside of the pickle"],
      [[op.tuple(op.string("module"), "N"), "Q"], '"module" outside of the pickle'],
      [[op.tuple(op.string("storage"), "N", op.string("0"), "N", "K\x04"), "Q"], "a storage of type None"],
      [[op.tensor({ key: "K\x00" })], "a storage by no string"],
    ] as [Bytes, string][]
  ) await refused(torchZip(w(value), { 0: four }), message);
});

Deno.test("malformed pickles are refused at their byte", async () => {
  for (
    const [content, message] of [
      ["", "it ends too early"],
      [".", "its stack is empty"],
      ["(.", "its stack is empty"],
      ["\x80\x06N.", "newer than 5"],
      ["N", "it ends too early"],
      ["X\xff\xff\xff\xff", "4294967295 bytes should follow, 0 do"],
      ["\x8d\xff\xff\xff\xff\xff\xff\xff\xffa", "ends before the 18446744073709551615 bytes"],
      ["\x8b\xff\xff\xff\xff", "4294967295 bytes, at most 64"],
      ["\x8c\x01\xff.", "not UTF-8"],
      ["t.", "its stack has no mark"],
      ["u.", "its stack has no mark"],
      ["}(K", "it ends too early"],
      ["}(K\x01u.", "a key of a dictionary has no value"],
      ["K\x01K\x02a.", "it adds items to 1"],
      ["0.", "its stack is empty"],
      ["h\x07.", "recalls value 7"],
      ["j\xff\xff\xff\xff.", "recalls value 4294967295"],
      ["I12x\n.", "other characters than digits"],
      [`I${"9".repeat(5000)}\n.`, "a line of text does not end"],
      ["p1\n", "its stack is empty"],
      ["Np1.5\n.", "under no whole number"],
      ["Np-1\n.", "under no whole number"],
      ["ctorch\n", "a line of text does not end"],
      ["K\x01K\x02\x93.", "names something by no string"],
      ["N.", "it holds None, expected a dictionary"],
      ["].", "it holds a list, expected a dictionary"],
      [bytes(op.tensor({}), "."), "it holds a tensor, expected a dictionary"],
    ] as [Bytes, string][]
  ) {
    const error = await refused(zip([{ name: "a/data.pkl", data: bytes(content) }]), message);
    assert(!message.includes("bytes") || error.message.includes("at byte"), error.message);
  }
});

Deno.test("bombs of containers, references and numbers end at a bound", async () => {
  const many = (text: string, count: number) =>
    new Uint8Array(count * text.length).map((_, i) => text.charCodeAt(i % text.length));
  const inPickle = (...parts: Bytes[]) => zip([{ name: "a/data.pkl", data: concat(parts.map((part) => bytes(part))) }]);
  await refused(inPickle(many("}", 200_000)), "its stack holds more than 20000");
  await refused(inPickle(many("}0", 200_000)), "it makes more than 75000 objects");
  await refused(inPickle(many("(", 200_000)), "its stack holds more than 20000");
  await refused(inPickle("]", many("Na", 600_000)), "its containers hold more than 200000");
  await refused(inPickle("N", many("\x94", 500_000)), "it remembers more than 200000");
  await refused(zip([{ name: "a/data.pkl", data: new Uint8Array(9 << 20) }]), "at most 8388608 are allowed");
  // Each dictionary holds the one before twice: 2^30 ways lead to the innermost.
  const level = (i: number): Bytes => ["}q", i, "(", op.string("a"), "h", i - 1, op.string("b"), "h", i - 1, "uq", i];
  await refused(
    inPickle("}q\x00", Array.from({ length: 30 }, (_, i) => level(i + 1)), "."),
    "refer to each other too often",
  );
  await refused(inPickle("}q\x00(", op.string("self"), "h\x00u."), "nested deeper than 32");
  await refused(inPickle("](", many("](", 40), many("e", 41), "."), "it holds a list");
  // A dictionary made of a long list, again and again.
  const pairs: Bytes = ["]q\x00", Array.from({ length: 20 }, () => ["(", "NN\x86".repeat(1000), "e"]), "0"];
  const copy: Bytes = [op.global("collections", "OrderedDict"), "h\x00\x85R0"];
  await refused(
    inPickle(bytes(pairs), bytes(Array.from({ length: 5000 }, () => copy)), "."),
    "more than 200000 values",
  );
  // A call whose argument is such a call, whose argument is such a call, …
  const rebuild = op.global("torch._tensor", "_rebuild_from_type_v2");
  const nested: Bytes = [rebuild, "q\x010", op.global("torch", "Tensor"), "q\x020", ")q\x030"];
  const wrap = many("(h\x01h\x02h\x03Ntq\x030", 8000);
  await refused(inPickle(bytes(nested), wrap, "h\x01h\x03R."), "a tensor of type torch.Tensor, which is not supported");
  // One dictionary of tensors under many long names.
  const leaves = Array.from({ length: 300 }, (_, i): [Bytes, Bytes] => [op.int(i), "h\x00"]);
  const inner: Bytes = [op.dict(...leaves), "q\x010"];
  const outer = Array.from({ length: 30 }, (_, i): [Bytes, Bytes] => [op.string("n".repeat(4000 + i)), "h\x01"]);
  await refused(
    inPickle(bytes(op.tensor({}), "q\x000", inner, op.dict(...outer), ".")),
    "more than 4194304 characters",
  );
});

Deno.test("names: nested dictionaries are joined, the last of equal keys counts, clashes are refused", async () => {
  const t = (n: number) => op.tensor({ offset: op.int(n), shape: op.tuple(), strides: op.tuple() });
  const s = op.string;
  const nested = op.dict(
    [s("a"), op.dict([op.int(7), t(0)], [s("b"), ["](", t(1), "N", op.tuple(t(2)), "e"]])],
    [s("x"), t(3)],
    [s("x"), t(1)],
    ["N", t(0)],
    [s("epoch"), ["\x8a\x09", little(1n << 64n, 9)]],
    [s("bytes"), [op.global("__builtin__", "bytearray"), op.tuple(s("ab"), s("latin-1")), "R"]],
    [s("pruned"), [op.global("builtins", "set"), op.tuple(["](", op.int(1), "e"]), "R"]],
    [s("__proto__"), t(3)],
  );
  const lists = await openWeightFile(file(torchZip(nested, { 0: four })));
  const values = await Promise.all([...lists].map(async ([name, stored]) => [name, (await stored.load()).toList()]));
  assertEquals(values, [["a.7", 1], ["a.b.0", 2], ["a.b.2.0", 3], ["x", 2], ["__proto__", 4]]);
  const clash = op.dict([s("a"), op.dict([s("b"), t(0)])], [s("a.b"), t(1)]);
  await refused(torchZip(clash, { 0: four }), 'two tensors are called "a.b"');
  await refused(torchZip(op.dict([s("n".repeat(5000)), t(0)]), { 0: four }), "a name is longer than 4096");
});
