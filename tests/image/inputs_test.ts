// Pictures as programs hold them, and what is said of what is none.
import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  Captioner,
  FormatError,
  HubError,
  type ImageSource,
  type LimnerError,
  OptionError,
  readImage,
} from "../../mod.ts";

const file = new URL("../../assets/examples/line.png", import.meta.url);
const bytes = await Deno.readFile(file);
const expected = await readImage(file);

const inputs: Readonly<Record<string, () => ImageSource | Promise<ImageSource>>> = {
  "an ArrayBuffer": () => bytes.slice().buffer,
  "a SharedArrayBuffer": () => {
    const shared = new SharedArrayBuffer(bytes.length);
    new Uint8Array(shared).set(bytes);
    return shared;
  },
  "a Uint8ClampedArray": () => new Uint8ClampedArray(bytes),
  "a DataView within a larger buffer": () => {
    const larger = new Uint8Array(bytes.length + 10);
    larger.set(bytes, 7);
    return new DataView(larger.buffer, 7, bytes.length);
  },
  "a Response": () => new Response(bytes.slice()),
  "a Response of a file": () => fetch(file),
  "a ReadableStream": () => new Blob([bytes.slice()]).stream(),
  "base64": () => bytes.toBase64(),
  "base64 in lines": () => bytes.toBase64().replace(/.{76}/g, "$&\n"),
  "a data URL": () => `data:image/png;base64,${bytes.toBase64()}`,
  "a data URL in capitals, as a URL": () => new URL(`DATA:image/png;base64,${bytes.toBase64()}`),
  "JPEG in base64, which begins as a path does": async () =>
    (await Deno.readFile(new URL("../fixtures/field/orientation/exif_signed.jpg", import.meta.url))).toBase64(),
};
for (const [name, input] of Object.entries(inputs)) {
  Deno.test(`readImage() reads ${name}, and leaves it whole`, async () => {
    const source = await input();
    const before = ArrayBuffer.isView(source) ? new Uint8Array(source.buffer).slice() : undefined;
    const { width, height, data } = await readImage(source);
    if (!name.startsWith("JPEG")) assertEquals([width, height, data], [expected.width, expected.height, expected.data]);
    else assertEquals([width, height], [24, 40]);
    if (before) assertEquals(new Uint8Array((source as ArrayBufferView).buffer), before);
  });
}

Deno.test("caption() reads every input, alone and among others, and they are left whole", async () => {
  await using captioner = await Captioner.load();
  const text = await captioner.caption(file);
  const buffer = bytes.slice().buffer;
  assertEquals(
    await captioner.caption([buffer, new Response(bytes.slice()), bytes.toBase64(), new Uint8ClampedArray(bytes)]),
    [text, text, text, text],
  );
  assertEquals(new Uint8Array(buffer), bytes);
});

const wrong: readonly [
  what: string,
  input: unknown,
  parts: readonly string[],
  // deno-lint-ignore no-explicit-any
  kind: new (...args: any[]) => LimnerError,
][] = [
  ["a number", 5, ["it is a number"], OptionError],
  ["nothing", undefined, ["it is undefined"], OptionError],
  ["null", null, ["it is null"], OptionError],
  ["a Promise", Promise.resolve(bytes), ["a Promise, which is to be awaited"], OptionError],
  ["a Map", new Map(), ["it is a Map"], OptionError],
  ["an object of no class", Object.create(null), ["it is a object"], OptionError],
  ["a long text", "no picture ".repeat(22109), ["a text of 243199 characters", "neither a path"], OptionError],
  ["base64 of no picture", "QUJD".repeat(60801), ["a text of 243204 characters"], OptionError],
  ["cut base64", bytes.toBase64().slice(0, 401), ["(base64)"], FormatError],
  ["base64 of a damaged picture", bytes.slice(0, 300).toBase64(), ["(base64)"], FormatError],
  ["a data URL of no base64", `data:image/png;base64,${"*".repeat(9999)}`, ["(data URL)"], HubError],
  ["a data URL of no picture", `data:image/png;base64,${"QUJD".repeat(999)}`, ["(data URL)"], FormatError],
  ["a name that is too long", "x".repeat(3000), ["(3000 characters)"], HubError],
  ["an answer of 404", new Response("", { status: 404 }), ["answered 404"], HubError],
];
for (const [what, input, parts, kind] of wrong) {
  Deno.test(`readImage() says of ${what} what it is, in a line without the data`, async () => {
    const { message } = await assertRejects(() => readImage(input as ImageSource), kind);
    for (const part of parts) assert(message.includes(part), message);
    assert(message.length < 300 && !message.includes("\n"), message);
  });
}

Deno.test("readImage() says that a Response was read already", async () => {
  const response = new Response(bytes.slice());
  await response.arrayBuffer();
  const { message } = await assertRejects(() => readImage(response), HubError);
  assert(message.includes("was read already"), message);
});

Deno.test("maxPixels is an option of the captioner", async () => {
  await using captioner = await Captioner.load(undefined, { maxPixels: 100 });
  const { message } = await assertRejects(() => captioner.caption(file), FormatError);
  assert(message.includes("at most 100 are read (option maxPixels)"), message);
});
