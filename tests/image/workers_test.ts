// Decoding in workers: the same pixels and errors as in one thread, at most so many at a time, and an end to it.
import { assert, assertEquals, assertInstanceOf, assertRejects, assertStrictEquals } from "@std/assert";
import { createImageProcessor, encodePng, RawImage, readImage } from "../../mod.ts";
import { FormatError, LimnerError, ShapeError } from "../../src/errors/mod.ts";
import { type ImageFile, readImageFile } from "../../src/image/image_file.ts";
import { ImageWorkers } from "../../src/image/image_workers.ts";
import { PictureReader } from "../../src/image/picture_reader.ts";

const fixtures = new URL("../fixtures/images/", import.meta.url);
const inputs = [
  "inputs/rgb.png",
  "inputs/exif6.jpg",
  "inputs/rgba.png",
  "formats/progressive.jpg",
  "formats/lossy.webp",
  "scans/bits_group4.tif",
  "scans/rgb16.tif",
  "scans/full_colours.avif",
  "scans/deep.ppm",
]
  .map((file) => new URL(file, fixtures));
const vit = createImageProcessor("ViTImageProcessor", { size: { height: 32, width: 48 } });

/** Enough pictures that a worker is worth starting, however small they are. */
const expected = 1e9;

Deno.test("ImageWorkers.decode() gives whole pictures as readImage() does", async () => {
  using workers = new ImageWorkers(2);
  const files = await Promise.all(inputs.map((input) => readImageFile(input)));
  const images = await Promise.all(files.map((file) => workers.decode(file, { expected })));
  assertEquals(workers.running, 2);
  assertEquals(images, await Promise.all(inputs.map((input) => readImage(input))));
});

Deno.test("a picture that a worker has shaped gives the pixel values of the whole picture", async () => {
  using workers = new ImageWorkers(2);
  const { settings } = vit;
  const images = await Promise.all(
    inputs.map(async (input) => await workers.decode(await readImageFile(input), { settings, expected })),
  );
  assertEquals(images.map(({ width, height }) => [width, height]), Array(inputs.length).fill([48, 32]));
  const whole = await Promise.all(inputs.map((input) => readImage(input)));
  assertEquals(vit(images).pixelValues, vit(whole).pixelValues);
});

Deno.test("a picture that cannot be shaped is refused by the processor, as it is without workers", async () => {
  using workers = new ImageWorkers(1);
  const donut = createImageProcessor("DonutImageProcessor", {
    ...{ size: { height: 8, width: 8 }, do_resize: false, do_thumbnail: false },
  });
  const image = await workers.decode(await readImageFile(inputs[0]), { settings: donut.settings, expected });
  assertEquals(image, await readImage(inputs[0]));
  assertInstanceOf(await Promise.resolve(image).then(donut).catch((error) => error), ShapeError);
});

Deno.test("a damaged file is named by its error, and the worker goes on", async () => {
  using workers = new ImageWorkers(1);
  const bytes = await Deno.readFile(new URL("inputs/noise.png", fixtures));
  bytes.fill(0x55, bytes.length / 2, bytes.length - 16);
  const damaged = await readImageFile(bytes, { name: "damaged.png" });
  const here = await readImage(bytes, { name: "damaged.png" }).catch((error: FormatError) => error);
  const there = await workers.decode(damaged, { expected }).catch((error: FormatError) => error);
  assertInstanceOf(there, FormatError);
  assertInstanceOf(here, FormatError);
  assertEquals([there.message, there.details], [here.message, here.details]);
  assertEquals((await workers.decode(await readImageFile(inputs[0]), { expected })).width, 83);
  assertEquals(workers.running, 1);
});

Deno.test("bytes that a caller gave stay the caller's, and those that were read are moved", async () => {
  using workers = new ImageWorkers(1);
  const bytes = await Deno.readFile(inputs[0]);
  const [given, read] = [await readImageFile(bytes), await readImageFile(inputs[0])];
  const images = await Promise.all([given, read].map((file) => workers.decode(file, { expected })));
  assertEquals(images[0], images[1]);
  assertEquals([bytes.length, given.bytes.length > 0, read.bytes.length], [given.bytes.length, true, 0]);
});

Deno.test("workers are started for pictures that are worth it only, and end when no more come", async () => {
  using workers = new ImageWorkers(2);
  const file = await readImageFile(inputs[0]);
  await workers.decode(file);
  assertEquals(workers.running, 0);
  const large: ImageFile = { ...file, own: false, header: { ...file.header, width: 4000, height: 3000 } };
  await assertRejects(() => workers.decode(large), FormatError, "4000 x 3000 pixels were expected");
  assertEquals(workers.running, 1);
  await workers.decode(file); // While one runs it takes small ones too.
  assertEquals([workers.running, file.bytes.length], [1, 0]);
  const began = performance.now();
  while (workers.running > 0 && performance.now() - began < 10_000) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assertEquals(workers.running, 0);
});

Deno.test("files in the queue are given up where their signal has come, or the workers are released", async () => {
  const reason = new Error("enough");
  const stop = new AbortController();
  const file = { ...await readImageFile(inputs[0]), own: false };
  const workers = new ImageWorkers(1);
  const first = workers.decode(file, { expected });
  const second = workers.decode(file, { expected, signal: stop.signal });
  second.catch(() => {});
  stop.abort(reason);
  assertEquals((await first).width, 83);
  assertStrictEquals(await second.catch((error) => error), reason);
  const late = [workers.decode(file, { expected }), workers.decode(file, { expected })];
  workers[Symbol.dispose]();
  for (const result of await Promise.allSettled(late)) {
    assertEquals(result.status, "rejected");
    assertInstanceOf((result as PromiseRejectedResult).reason, LimnerError);
  }
});

/** A picture that tells when it is read. */
class Watched extends Blob {
  constructor(bytes: Uint8Array<ArrayBuffer>, readonly tell: () => void) {
    super([bytes]);
  }
  override stream() {
    this.tell();
    return super.stream();
  }
}

for (const most of [0, 2]) {
  Deno.test(`PictureReader with ${most} workers keeps the order, reads so many ahead, and goes on after one that is broken`, async () => {
    using workers = new ImageWorkers(most);
    const begun: number[] = [];
    const expected = Array.from({ length: 20 }, (_, i) => {
      const [width, height] = [1000, i % 2 === 0 ? 1000 : 1]; // slow and quick ones
      return new RawImage(new Uint8Array(3 * width * height).fill(i), width, height, 3);
    });
    const pictures = await Promise.all(expected.map(async (image, i) => {
      const bytes = i === 3 ? new Uint8Array([1]) : await encodePng(image) as Uint8Array<ArrayBuffer>;
      return { source: new Watched(bytes, () => begun.push(i)), name: `picture ${i}` };
    }));
    const reader = new PictureReader(pictures, workers, { ahead: 3 });
    let running = 0; // at the most: they end where what is done with the last pictures takes long
    for (const [i, image] of expected.entries()) {
      const taken = reader.take(1);
      if (i === 3) await assertRejects(() => taken, FormatError, "picture 3");
      else {
        const { width, height, data } = (await taken)[0].toRgb();
        running = Math.max(running, workers.running);
        assertEquals([width, height, data.every((sample) => sample === i)], [image.width, image.height, true]);
      }
      assert(begun.length <= i + 4, `${begun.length} were begun when ${i + 1} were taken`);
    }
    assertEquals(begun, pictures.map((_, i) => i));
    assertEquals(running > 0, most > 0);
  });
}

/** Run a script in a process of its own, with few permissions. */
async function run(script: string, permissions: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const config = decodeURIComponent(new URL("../../deno.json", import.meta.url).pathname);
  const main = await Deno.makeTempFile({ suffix: ".ts" });
  try {
    await Deno.writeTextFile(main, script);
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-prompt", "--quiet", "--no-check", "--config", config, ...permissions, main],
      env: { NO_COLOR: "1" },
    }).output();
    const text = new TextDecoder();
    return { code, stdout: text.decode(stdout), stderr: text.decode(stderr) };
  } finally {
    await Deno.remove(main);
  }
}

const here = new URL("../../", import.meta.url).href;
const folder = decodeURIComponent(fixtures.pathname);

/** A script that decodes a picture with the modules and the fixtures under `base`, and tells how. */
const decodeOne = (base: string, { before = "", most }: { before?: string; most?: number } = {}) =>
  `${before}
  const { ImageWorkers } = await import("${base}src/image/image_workers.ts");
  const { readImageFile } = await import("${base}src/image/image_file.ts");
  const workers = new ImageWorkers(${most ?? ""});
  const picture = "${base}tests/fixtures/images/inputs/rgb.png";
  const file = await readImageFile(picture, { allowPrivateAddresses: true });
  const decoding = workers.decode(file, { expected: 1e9 });
  const running = workers.running;
  console.log((await decoding).width, running, workers.most > 0);`;

Deno.test("pictures are decoded in the same thread where there are no workers, or one may not be started", async () => {
  const none = await run(decodeOne(here, { before: "delete globalThis.Worker;" }), [`--allow-read=${folder}`]);
  assertEquals(none, { code: 0, stdout: "83 0 false\n", stderr: "" });
  const refused = await run(decodeOne(here), [`--allow-read=${folder}`]);
  assertEquals(refused, { code: 0, stdout: "83 0 false\n", stderr: "" });
});

Deno.test("a worker that fails to start leaves its picture to the same thread", async () => {
  const { code, stdout } = await run(decodeOne(here, { most: 2 }), [`--allow-read=${folder}`]);
  assertEquals([code, stdout], [0, "83 1 false\n"]);
});

Deno.test("a process ends by itself when its pictures are decoded", async () => {
  const { code, stdout, stderr } = await run(decodeOne(here, { most: 2 }), ["--allow-read"]);
  assertEquals([code, stdout, stderr], [0, "83 1 true\n", ""]);
});

Deno.test("a worker starts over http with the permissions that the module was imported with", async () => {
  const asked: string[] = [];
  await using server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, async (request) => {
    const { pathname } = new URL(request.url);
    asked.push(pathname);
    const body = await Deno.readFile(new URL(`../..${pathname}`, import.meta.url)).catch(() => null);
    const type = pathname.endsWith(".ts") ? "application/typescript" : "application/octet-stream";
    return new Response(body, { status: body ? 200 : 404, headers: { "content-type": type } });
  });
  const host = `127.0.0.1:${server.addr.port}`;
  const script = decodeOne(`http://${host}/`, { most: 2 });
  const ended = await run(script, [`--allow-import=${host}`, `--allow-net=${host}`, `--reload=http://${host}`]);
  assertEquals(ended, { code: 0, stdout: "83 1 true\n", stderr: "" });
  assert(asked.includes("/src/image/image_worker.ts"), asked.join());
});

Deno.test("a picture that one processor has shaped is shaped again by another", async () => {
  using workers = new ImageWorkers(1);
  const image = await workers.decode(await readImageFile(inputs[0]), { settings: vit.settings, expected });
  const other = createImageProcessor("ViTImageProcessor", { size: { height: 16, width: 16 } });
  assertEquals([image.width, image.height], [48, 32]);
  assertEquals(other(image).pixelValues.shape, [1, 3, 16, 16]);
});
