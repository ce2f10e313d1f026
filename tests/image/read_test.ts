// readImage() against Pillow's pixels, on damaged files and from every kind of source.
import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
} from "@std/assert";
import { FormatError, HubError, LimnerError, OptionError } from "../../src/errors/mod.ts";
import { RawImage, readImage } from "../../src/image/mod.ts";
import { crc32 } from "../../src/image/formats/_crc32.ts";
import { orient } from "../../src/image/processor/transforms.ts";
import { compare, decoded, inputUrl, readStored } from "./golden.ts";

const bad = new URL("../fixtures/bad/images/", import.meta.url);

for (const [name, { shape, data }] of decoded) {
  const [, file, kind] = name.match(/^(.*)\.(rgb|raw|rgb_exif_transposed)$/)!;
  // EXIF orientation is always applied, and only RGB is compared here.
  if (kind === "raw" || (kind === "rgb" && decoded.has(`${file}.rgb_exif_transposed`))) {
    continue;
  }
  Deno.test(`readImage() decodes ${file} as Pillow does`, async () => {
    const image = (await readImage(inputUrl(file))).toRgb();
    assertEquals([image.height, image.width, 3], shape);
    const { worst, share } = compare(image.data, data);
    assertEquals(worst, 0, `${share * 100} % of the samples are equal`);
  });
}

const formats = new URL("../fixtures/images/formats/", import.meta.url);
for (const [file, { shape, data }] of readStored(new URL("decoded.safetensors", formats))) {
  Deno.test(`readImage() decodes formats/${file} as Pillow does`, async () => {
    const image = (await readImage(new URL(file, formats))).toRgb();
    assertEquals([image.height, image.width, 3], shape);
    const { worst, share } = compare(image.data, data);
    assertEquals(worst, 0, `${share * 100} % of the samples are equal`);
  });
}

Deno.test("readImage() decodes PNG, GIF, JPEG and BMP of every kind as Pillow does", async () => {
  const file = new URL("../fixtures/images/random_files.json", import.meta.url);
  for (const [name, base64, shape, sha256] of JSON.parse(Deno.readTextFileSync(file))) {
    const image = (await readImage(Uint8Array.fromBase64(base64))).toRgb();
    assertEquals([image.height, image.width], shape, name);
    const digest = await crypto.subtle.digest("SHA-256", image.data as Uint8Array<ArrayBuffer>);
    assertEquals(new Uint8Array(digest).toHex(), sha256, name);
  }
});

for (const [file, channels] of [["gray.png", 1], ["gray_alpha.png", 2], ["rgb.png", 3], ["rgba.png", 4]] as const) {
  Deno.test(`readImage() keeps the ${channels} channels of ${file}`, async () => {
    const image = await readImage(inputUrl(file));
    assertEquals(image.channels, channels);
    const raw = decoded.get(`${file}.raw`) ?? decoded.get(`${file}.rgb`)!;
    assertEquals(compare(image.data, raw.data).worst, 0);
  });
}

for (const { path, expect } of JSON.parse(Deno.readTextFileSync(new URL("index.json", bad))).cases) {
  Deno.test(`readImage() answers ${path} with ${expect}`, async () => {
    const url = new URL(path, bad);
    const result = await readImage(url).catch((error: Error) => error);
    if (result instanceof RawImage) assertStringIncludes(expect, "ok");
    else {
      assertInstanceOf(result, FormatError);
      assertStringIncludes(expect, "error");
      assertStringIncludes(result.message, path);
      assert(!result.message.includes("\n"));
    }
    // A decoder that has failed still decodes.
    assertEquals((await readImage(new URL("ok.png", bad))).width, 50);
    assertEquals((await readImage(new URL("ok.jpg", bad))).width, 50);
  });
}

Deno.test("readImage() notices a changed bit anywhere in a PNG's pixels", async () => {
  for (const name of ["rgb.png", "palette.png", "gray16.png", "interlaced.png"]) {
    const whole = await Deno.readFile(inputUrl(name));
    const start = new TextDecoder("latin1").decode(whole).indexOf("IDAT") + 4;
    const end = start + new DataView(whole.buffer).getUint32(start - 8);
    for (let at = start; at < end; at += Math.ceil((end - start) / 40)) {
      const bytes = whole.slice();
      bytes[at] ^= 1;
      await assertRejects(() => readImage(bytes), FormatError, "its data is damaged");
    }
    // As in Pillow the checksum of a chunk counts only where that of its data is wrong too.
    const bytes = whole.slice();
    bytes[end] ^= 1;
    assertEquals(await readImage(bytes), await readImage(whole));
  }
});

Deno.test("readImage() inflates no more of a PNG in doubt than its pixels take", async () => {
  const bytes = await Deno.readFile(new URL("zip_bomb.png", bad)); // 8 x 8 pixels, and 20 MB after them
  const start = new TextDecoder("latin1").decode(bytes).indexOf("IDAT") + 4;
  bytes[start + new DataView(bytes.buffer).getUint32(start - 8)] ^= 1;
  const { cause } = await assertRejects(() => readImage(bytes), FormatError, "its data is damaged");
  assertStringIncludes(String(cause), "inflates to more than");
});

Deno.test("readImage() passes over what is wrong in a PNG's chunks that no pixel depends on", async () => {
  const whole = await Deno.readFile(inputUrl("rgb.png"));
  const chunk = (kind: string, data: number[]) => {
    const bytes = new Uint8Array([0, 0, 0, data.length, ...new TextEncoder().encode(kind), ...data, 0, 0, 0, 0]);
    new DataView(bytes.buffer).setUint32(8 + data.length, crc32(bytes.subarray(4, 8 + data.length)));
    return [...bytes];
  };
  const wrong = [
    chunk("iCCP", [120, 0, 0, 1, 2, 3]), // a profile that cannot be inflated
    chunk("pHYs", [0, 0, 0, 1, 0, 0, 0, 1, 9]), // a unit that does not exist
    [...chunk("gAMA", [0, 0, 1, 0]), ...chunk("gAMA", [0, 0, 2, 0])], // two where one may be
    chunk("acTL", [0, 0, 0, 1]), // an animation of too few numbers
  ];
  for (const chunks of wrong) {
    const bytes = new Uint8Array([...whole.subarray(0, 33), ...chunks, ...whole.subarray(33)]);
    assertEquals(await readImage(bytes), await readImage(whole));
  }
});

Deno.test("readImage() takes paths, URLs, bytes and Blobs", async () => {
  const bytes = await Deno.readFile(inputUrl("rgb.png"));
  const expected = await readImage(bytes);
  const server = Deno.serve(
    { port: 0, onListen: () => {} },
    (request) => request.url.endsWith("/rgb.png") ? new Response(bytes) : new Response("no", { status: 404 }),
  );
  try {
    const base = `http://localhost:${server.addr.port}`;
    const url = inputUrl("rgb.png");
    const path = decodeURIComponent(url.pathname);
    for (const source of [path, url, url.href, new Blob([bytes]), `${base}/rgb.png`, new URL(`${base}/rgb.png`)]) {
      assertEquals((await readImage(source, { allowPrivateAddresses: true })).data, expected.data);
    }
    const error = await assertRejects(() => readImage(`${base}/other.png`, { allowPrivateAddresses: true }), HubError);
    assertStringIncludes(error.message, "404");
  } finally {
    await server.shutdown();
  }
  const nobody = () => readImage("http://localhost:8/rgb.png", { allowPrivateAddresses: true });
  await assertRejects(nobody, HubError, "Cannot download picture");
});

Deno.test("readImage() says in one message what is wrong with a source", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await assertRejects(() => readImage(`${folder}/none.png`), HubError, "there is no such file");
    await assertRejects(() => readImage(folder), HubError, "it is a folder");
    await assertRejects(() => readImage(`${folder}/none.png/x`), LimnerError, "none.png/x");
    await assertRejects(() => readImage(new Uint8Array()), FormatError, "it is empty");
    await assertRejects(() => readImage(new Uint8Array([1, 2, 3]), { name: "x.png" }), FormatError, "x.png");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("readImage() refuses other kinds of files by their name", async () => {
  const kinds = {
    HEIC: "\0\0\0\x18ftypheic",
    "JPEG XL": "\xff\n",
    icon: "\0\0\x01\0",
    SVG: '<?xml version="1.0"?>\n<!-- a -->\n<svg xmlns="x">',
    PDF: "%PDF-1.7",
    PAM: "P7\nWIDTH 3\n",
  };
  for (const [kind, beginning] of Object.entries(kinds)) {
    const bytes = Uint8Array.from(beginning, (character) => character.charCodeAt(0));
    const expected = `it is a file of kind ${kind}, expected a PNG, JPEG, GIF, WebP, BMP, TIFF, AVIF or PNM`;
    await assertRejects(() => readImage(bytes, { name: "x.png" }), FormatError, expected);
  }
});

Deno.test("readImage() ends with the signal's reason, from a source that is silent too", async () => {
  const silent = new ReadableStream<Uint8Array>({ start: (controller) => controller.enqueue(new Uint8Array(9)) });
  const reason = new Error("enough");
  const controller = new AbortController();
  const reading = readImage(silent, { signal: controller.signal });
  controller.abort(reason);
  assertStrictEquals(await reading.catch((error) => error), reason);
});

Deno.test("readImage() answers a file that is cut anywhere with an error, not with a part of the picture", async () => {
  for (const file of ["inputs/gray2bit.png", "inputs/exif6.jpg", "formats/offset.gif", "formats/lossy.webp"]) {
    const whole = Deno.readFileSync(new URL(`../fixtures/images/${file}`, import.meta.url));
    // A GIF's last byte says only that no other frame follows.
    for (let length = 0; length < whole.length - 1; length++) {
      await assertRejects(() => readImage(whole.subarray(0, length)), FormatError);
    }
  }
});

Deno.test("readImage() refuses a WebP frame that is larger than the canvas, before memory is taken", async () => {
  const bytes = Deno.readFileSync(new URL("animated.webp", formats));
  const at = new TextDecoder("latin1").decode(bytes).indexOf("VP8L");
  bytes.set([0xff, 0xff, 0xff, 0x0f], at + 9); // 16,384 x 16,384
  await assertRejects(() => readImage(bytes), FormatError, "its data is damaged");
});

Deno.test("readImage() refuses more pixels than maxPixels", async () => {
  const file = inputUrl("rgb.png");
  await assertRejects(() => readImage(file, { maxPixels: 83 * 61 - 1 }), FormatError, "83 x 61, 5063 pixels");
  assertEquals((await readImage(file, { maxPixels: 83 * 61 })).width, 83);
  await assertRejects(() => readImage(file, { maxPixels: 0 }), OptionError);
});

Deno.test("orient() turns all eight EXIF orientations upright", () => {
  // The picture  1 2 3   stored in each orientation.
  //              4 5 6
  const stored: [number, number, number[]][] = [
    [1, 3, [1, 2, 3, 4, 5, 6]],
    [2, 3, [3, 2, 1, 6, 5, 4]],
    [3, 3, [6, 5, 4, 3, 2, 1]],
    [4, 3, [4, 5, 6, 1, 2, 3]],
    [5, 2, [1, 4, 2, 5, 3, 6]],
    [6, 2, [3, 6, 2, 5, 1, 4]],
    [7, 2, [6, 3, 5, 2, 4, 1]],
    [8, 2, [4, 1, 5, 2, 6, 3]],
  ];
  for (const [orientation, width, data] of stored) {
    const upright = orient(new RawImage(new Uint8Array(data), width, 6 / width, 1), orientation);
    assertEquals([upright.width, ...upright.data], [3, 1, 2, 3, 4, 5, 6], `orientation ${orientation}`);
  }
});

Deno.test("readImage() answers damaged files with a LimnerError or a picture, and goes on decoding", async () => {
  let state = 1;
  const random = (below: number): number => (state = (state * 1103515245 + 12345) & 0x7fffffff) % below;
  let refused = 0;
  for (const { name } of Deno.readDirSync(formats)) {
    if (name.endsWith(".safetensors")) continue;
    const whole = Deno.readFileSync(new URL(name, formats));
    const upright = await readImage(whole);
    for (let round = 0; round < 9; round++) {
      const bytes = round % 3 === 0 ? whole.slice(0, random(whole.length)) : whole.slice();
      for (let i = 0; i < round % 3; i++) bytes[random(bytes.length)] = random(256);
      const result = await readImage(bytes, { name, maxPixels: 1e6 }).catch((error: Error) => error);
      if (result instanceof RawImage) continue;
      assertInstanceOf(result, LimnerError);
      refused++;
    }
    assertEquals(await readImage(whole), upright);
  }
  assert(refused > 80, `${refused} were refused`);
});

Deno.test("readImage() still decodes after a decoder has trapped a thousand times", async () => {
  for (const file of ["inputs/noise.png", "formats/rle8.bmp"]) {
    const whole = Deno.readFileSync(new URL(`../fixtures/images/${file}`, import.meta.url));
    const expected = await readImage(whole);
    const damaged = whole.slice();
    damaged.fill(0x55, whole.length / 2, whole.length - 16); // the header and the end stay whole
    for (let i = 0; i < 1000; i++) await assertRejects(() => readImage(damaged), FormatError, "its data is damaged");
    assertEquals(await readImage(whole), expected);
  }
});

Deno.test("readImage() refuses a JPEG that would be scanned without end, before it is decoded", async () => {
  const bytes = [...Deno.readFileSync(new URL("progressive.jpg", formats))];
  const frame = bytes.findIndex((byte, i) => byte === 0xff && bytes[i + 1] === 0xc2);
  bytes.splice(frame + 5, 4, 0x1f, 0x40, 0x1f, 0x40); // 8,000 x 8,000
  const scan = bytes.findLastIndex((byte, i) => byte === 0xff && bytes[i + 1] === 0xda);
  const many = Array.from({ length: 30 }, () => bytes.slice(scan, -2)).flat();
  const file = new Uint8Array([...bytes.slice(0, -2), ...many, 0xff, 0xd9]);
  await assertRejects(() => readImage(file), FormatError, "40 scans of 8000 x 8000 pixels");
});

Deno.test("readImage() is not deceived by a JPEG with two frame headers", async () => {
  const bytes = Deno.readFileSync(new URL("ok.jpg", bad));
  const at = bytes.findIndex((byte, i) => byte === 0xff && bytes[i + 1] === 0xc0);
  const length = 2 + (bytes[at + 2] << 8 | bytes[at + 3]);
  const huge = bytes.slice(at, at + length);
  huge.set([0xff, 0xdc, 0xff, 0xdc], 5);
  const join = (...parts: Uint8Array[]) => new Uint8Array(parts.flatMap((part) => [...part]));
  const before = join(bytes.slice(0, at), huge, bytes.slice(at));
  await assertRejects(() => readImage(before), FormatError, "65500 x 65500");
  const after = join(bytes.slice(0, at + length), huge, bytes.slice(at + length));
  await assertRejects(() => readImage(after), FormatError, "its data is damaged");
});

Deno.test("readImage() reads with no permission but that of reading the picture", async () => {
  const script = `
    import { readImage } from ${JSON.stringify(new URL("../../src/image/mod.ts", import.meta.url).href)};
    const sizes = [];
    for (const file of Deno.args) sizes.push((await readImage(file)).width);
    console.log(sizes.join());
  `;
  const files = ["inputs/rgb.png", "inputs/jpeg444.jpg", "formats/lossy.webp", "formats/palette.gif", "formats/rgb.bmp"]
    .concat(["scans/bits_group4.tif", "scans/full_colours.avif", "scans/bytes.ppm"])
    .map((file) => decodeURIComponent(new URL(`../fixtures/images/${file}`, import.meta.url).pathname));
  const folder = decodeURIComponent(new URL("../fixtures/images/", import.meta.url).pathname);
  const config = decodeURIComponent(new URL("../../deno.json", import.meta.url).pathname);
  const main = await Deno.makeTempFile({ suffix: ".ts" });
  try {
    await Deno.writeTextFile(main, script);
    const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "--no-prompt",
        "--quiet",
        "--no-check",
        "--config",
        config,
        `--allow-read=${folder}`,
        main,
        ...files,
      ],
    }).output();
    assertEquals(new TextDecoder().decode(stdout).trim(), "83,91,83,83,83,37,96,37", new TextDecoder().decode(stderr));
  } finally {
    await Deno.remove(main);
  }
});

Deno.test("readImage() leaves a source that does not end, and names an address that is none", async () => {
  const chunk = new Uint8Array(2 ** 24);
  let given = 0;
  const endless = new ReadableStream<Uint8Array>({
    pull(controller) {
      given += chunk.length;
      controller.enqueue(chunk);
    },
  });
  await assertRejects(() => readImage(endless, { name: "pipe" }), FormatError, "pipe");
  assert(given < 2 ** 29 + 2 ** 26);
  await assertRejects(() => readImage("http://"), HubError, "http://");
});
