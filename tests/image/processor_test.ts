// The image processors against Transformers' own results on Pillow.
import { assert, assertEquals, assertInstanceOf, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { ConfigError, FormatError, HubError, LimnerError, ShapeError } from "../../src/errors/mod.ts";
import {
  AutoImageProcessor,
  type Channels,
  createImageProcessor,
  type ProcessorType,
  RawImage,
  readImage,
} from "../../src/image/mod.ts";
import { cases, compare, decodedRgb, expected, inputUrl } from "./golden.ts";

/** A repository in memory. */
function repository(files: Record<string, unknown>) {
  const texts = Object.entries(files).map(([name, value]) =>
    [name, typeof value === "string" ? value : JSON.stringify(value)] as const
  );
  return { name: "memory", readText: (file: string) => Promise.resolve(new Map(texts).get(file)) };
}

for (const golden of cases) {
  // Without a conversion Transformers fails on pictures that are not RGB; Limner converts first.
  const converts = golden.convert_before === "RGB" || golden.config.do_convert_rgb ||
    golden.processor.startsWith("CLIP");
  if (golden.error && !converts) continue;
  Deno.test(`the image processor equals Transformers': ${golden.name}`, async () => {
    const images = golden.convert_before === "RGB"
      ? golden.files.map((file) => decodedRgb(file, golden.exif_transpose))
      : await Promise.all(golden.files.map((file) => readImage(inputUrl(file))));
    const run = () => {
      const processor = createImageProcessor(golden.processor as ProcessorType, golden.config);
      return images.map((image) => processor(image, golden.call_kwargs).pixelValues);
    };
    if (golden.error) {
      assertThrows(run, ConfigError);
      return;
    }
    run().forEach((pixelValues, index) => {
      const { shape, data } = expected.get(`${golden.name}.${index}`)!;
      assertEquals(pixelValues.shape, [1, ...shape]);
      const { worst, share } = compare(pixelValues.data as Float32Array, data, 1e-6);
      assert(share === 1, `${golden.files[index]}: ${(share * 100).toFixed(2)} % equal, the worst differs by ${worst}`);
    });
  });
}

/** The same noise as make_processors.py's `picture`. */
function noise([width, height, channels, seed, margin]: number[]): RawImage {
  const data = Uint8Array.from(
    { length: width * height * channels },
    (_, i) => Math.imul(i + seed, 2654435761) >>> 24,
  );
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i += channels) {
      if (Math.min(x, y, width - 1 - x, height - 1 - y) < margin) data.fill(255, i, i + channels);
    }
  }
  return new RawImage(data, width, height, channels as Channels);
}

for (const kind of ["processors", "processors_more", "processors_grey"]) {
  Deno.test(`AutoImageProcessor equals Transformers' on random configurations, pictures and options: ${kind}`, async () => {
    const file = new URL(`../fixtures/images/${kind}.json`, import.meta.url);
    for (const one of JSON.parse(Deno.readTextFileSync(file))) {
      const run = async () => {
        // Some are a pixel wide, and grow beyond what is taken by default before they are made small.
        const limits = { maxPixels: 1e9 };
        const processor = await AutoImageProcessor.fromPretrained(repository(one.files), { limits });
        return processor(one.pictures.map(noise), one.options).pixelValues;
      };
      const what = JSON.stringify(one);
      if (!one.shape) {
        assertInstanceOf(await run().catch((error: Error) => error), LimnerError, what);
        continue;
      }
      const { shape, data } = await run();
      assertEquals(shape, one.shape, what);
      const bytes = new Uint8Array((data as Float32Array<ArrayBuffer>).map((value) => value + 0).buffer);
      assertEquals(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex(), one.sha256, what);
    }
  });
}

Deno.test("AutoImageProcessor.fromPretrained() reads a model's folder and its older keys", async () => {
  const processor = await AutoImageProcessor.fromPretrained(
    repository({
      "preprocessor_config.json": { feature_extractor_type: "ViTFeatureExtractor", size: 26, resample: 2, my_key: [1] },
    }),
  );
  assertEquals(processor.settings.type, "ViTImageProcessor");
  const { pixelValues } = processor([decodedRgb("text.png"), decodedRgb("rgb.png")]);
  assertEquals(pixelValues.shape, [2, 3, 26, 26]);
  assertEquals(
    compare(pixelValues.data.subarray(0, 3 * 26 * 26) as Float32Array, expected.get("vit_size_int_legacy.0")!.data)
      .share,
    1,
  );
});

Deno.test("AutoImageProcessor.fromPretrained() takes the encoder's processor where none is named", async () => {
  const files = {
    "preprocessor_config.json": { size: [1280, 960] },
    "config.json": { encoder: { model_type: "donut-swin" } },
  };
  const processor = await AutoImageProcessor.fromPretrained(repository(files));
  assertEquals(processor.settings.size, { height: 960, width: 1280 });
});

Deno.test("AutoImageProcessor.fromPretrained() lists the known processors when it meets another", async () => {
  const files = { "preprocessor_config.json": { image_processor_type: "SamImageProcessor" } };
  const error = await assertRejects(() => AutoImageProcessor.fromPretrained(repository(files)), ConfigError);
  assertStringIncludes(error.message, "ViTImageProcessor, DeiTImageProcessor");
  assertEquals(error.key, "image_processor_type");
});

Deno.test("AutoImageProcessor.fromPretrained() names what is missing or malformed", async () => {
  assertInstanceOf(await assertRejects(() => AutoImageProcessor.fromPretrained(repository({}))), HubError);
  for (const text of ["", "[]", "{"]) {
    const files = repository({ "preprocessor_config.json": text });
    await assertRejects(() => AutoImageProcessor.fromPretrained(files), FormatError, "memory/preprocessor_config.json");
  }
});

Deno.test("createImageProcessor() refuses values that cannot work by their key", () => {
  const bad: Record<string, unknown>[] = [
    { size: 0 },
    { size: { height: 3 } },
    { size: "224" },
    { size: { height: 2.5, width: 2 } },
    { resample: 6 },
    { image_mean: [0.5, 0.5] },
    { image_std: 0 },
    { do_resize: "yes" },
    { rescale_factor: "1/255" },
    { crop_size: { shortest_edge: 3 } },
  ];
  for (const config of bad) {
    const [key] = Object.keys(config);
    const error = assertThrows(() => createImageProcessor("ViTImageProcessor", config), ConfigError, key);
    assertEquals(error.key, key);
  }
});

Deno.test("an image processor refuses pictures that do not fit into one batch", () => {
  const processor = createImageProcessor("ViTImageProcessor", { size: { shortest_edge: 20 } });
  assertThrows(() => processor([decodedRgb("rgb.png"), decodedRgb("tall.png")]), ShapeError, "one batch");
  assertThrows(() => processor([]), ShapeError);
});

Deno.test("an image processor repeats grey and drops alpha before it resizes", () => {
  const processor = createImageProcessor("ViTImageProcessor", {
    do_resize: false,
    do_normalize: false,
    do_rescale: false,
  });
  const grey = new RawImage(new Uint8Array([1, 9, 2, 9]), 2, 1, 2);
  assertEquals(processor(grey).pixelValues.toList(), [[[[1, 2]], [[1, 2]], [[1, 2]]]]);
});

Deno.test("toGrey() gives Pillow's luma, and drops alpha", () => {
  const colours = new RawImage(new Uint8Array([255, 0, 0, 7, 0, 255, 0, 9, 0, 0, 255, 0, 1, 2, 3, 4]), 2, 2, 4);
  assertEquals([...colours.toGrey().data], [76, 150, 29, 2]);
  const grey = new RawImage(new Uint8Array([5, 0, 6, 255]), 2, 1, 2).toGrey();
  assertEquals([grey.channels, ...grey.data], [1, 5, 6]);
  assertEquals(grey.toGrey(), grey);
});

Deno.test("savePretrained() keeps unknown keys and leaves no temporary file", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const config = { feature_extractor_type: "ViTFeatureExtractor", size: 24, my_key: { deep: 1 } };
    await createImageProcessor("ViTImageProcessor", config).savePretrained(`${folder}/new`);
    assertEquals([...Deno.readDirSync(`${folder}/new`)].map((entry) => entry.name), ["preprocessor_config.json"]);
    const loaded = await AutoImageProcessor.fromPretrained(`${folder}/new`);
    assertEquals(loaded.config, { ...config, image_processor_type: "ViTImageProcessor" });
    assertEquals(loaded.settings.size, { height: 24, width: 24 });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
