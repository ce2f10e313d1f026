// What pictures, and the sizes in a processor's configuration, may ask for: refused before memory is taken, in each place.
import { assert, assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import {
  AutoImageProcessor,
  Captioner,
  ConfigError,
  createImageProcessor,
  encodePng,
  LimitError,
  LimnerError,
  RawImage,
  readImage,
} from "../../mod.ts";
import type { ProcessorType } from "../../src/image/processor/processor_settings.ts";
import { processorTime } from "../process_cost.ts";
import { publishedModels } from "./published_models.ts";

/** Do something that is to be refused at once. @returns Its error. */
function refused(work: () => unknown, limit = "maxInputPixels"): LimitError {
  const before = processorTime();
  const error = assertThrows(work, LimitError);
  // Other threads of the process count too: a collection of garbage, an idle pool that still spins.
  assert(processorTime() - before < 1000, `${processorTime() - before} ms of the processor`);
  assertEquals(error.details.limit, limit);
  return error;
}

const grey = (width: number, height: number) => new RawImage(new Uint8Array(width * height), width, height, 1);

Deno.test("a size that takes too many pixels is refused as the processor is made, by its key", () => {
  const cases: readonly [type: ProcessorType, key: string, config: Record<string, unknown>][] = [
    ["ViTImageProcessor", "size", { size: 40_000 }],
    ["ViTImageProcessor", "size", { size: { height: 1, width: 1e9 } }],
    ["CLIPImageProcessor", "size", { size: { shortest_edge: 1e6 } }],
    ["CLIPImageProcessor", "crop_size", { crop_size: 1e5 }],
    ["ViTImageProcessor", "pad_size", { do_pad: true, pad_size: { height: 1e5, width: 1e5 } }],
    ["DonutImageProcessor", "size", { size: [1e9, 1e9] }],
    ["NougatImageProcessor", "size", { size: { height: 1e4, width: 1e4 } }],
  ];
  for (const [type, key, config] of cases) {
    const limit = type === "CLIPImageProcessor" && key === "size" ? "maxPixels" : "maxInputPixels"; // that is cut
    const error = refused(() => createImageProcessor(type, config), limit);
    assertEquals(error.details.key, key);
    assert(error.message.includes(`${key} is {`) && error.message.includes(`limits.${limit}`), error.message);
  }
  // A size that is of no effect costs nothing.
  createImageProcessor("ViTImageProcessor", { size: 1e6, do_resize: false });
  createImageProcessor("ViTImageProcessor", { crop_size: 1e6 });
});

Deno.test("a picture that would grow beyond the budget on its way is refused", () => {
  const donut = createImageProcessor("DonutImageProcessor");
  const between = refused(() => donut(grey(1, 1000)), "maxPixels");
  assert(between.message.includes("makes a picture of 1 x 1000 1920 x 1920000"));
  refused(() => createImageProcessor("CLIPImageProcessor")(grey(1, 20_000)), "maxPixels");
  refused(() => createImageProcessor("ViTImageProcessor")(grey(8, 8), { size: 1e5 }));
  assertEquals(createImageProcessor("ViTImageProcessor")(grey(1, 400_000)).pixelValues.shape, [1, 3, 224, 224]);
  const low = { limits: { maxPixels: 400 } };
  refused(() => createImageProcessor("CLIPImageProcessor", { size: 16, crop_size: 16 }, low)(grey(8, 16)), "maxPixels");
  const whole = createImageProcessor("ViTImageProcessor", { do_resize: false });
  assert(refused(() => whole(grey(5000, 4000))).message.includes("it comes out as 5000 x 4000"));
  const enough = createImageProcessor("CLIPImageProcessor", { size: 16, crop_size: 16 }, {
    limits: { maxPixels: 512 },
  });
  assertEquals(enough(grey(8, 16)).pixelValues.shape, [1, 3, 16, 16]);
  assertThrows(() => createImageProcessor("ViTImageProcessor", {}, { limits: { maxPixel: 1 } as object }), LimnerError);
});

Deno.test("one limit holds for what is read, and for what a captioner makes of it", async () => {
  const model = new URL("../fixtures/models/vit_trocr_sinusoidal/", import.meta.url);
  const load = { backend: "reference", limits: { maxPixels: 2000, maxInputPixels: 1024 } } as const;
  await using captioner = await Captioner.load(model, load);
  assertEquals(captioner.maxPixels, 2000);
  const error = await captioner.caption(await encodePng(grey(60, 60))).catch((error) => error);
  assert(error.message.includes("3600 pixels, and at most 2000 are read"), error.message);
  const small = await Captioner.load(model, { ...load, limits: { maxInputPixels: 1000 } }).catch((error) => error);
  assertInstanceOf(small, LimitError); // 32 x 32
});

Deno.test("values that are not finite are refused by their key", () => {
  const cases = { rescale_factor: 1e308, image_std: 1e-320, image_mean: 1e308 };
  for (const [key, value] of Object.entries(cases)) {
    const processor = createImageProcessor("ViTImageProcessor", { [key]: value, size: 8 });
    const error = assertThrows(() => processor(grey(8, 8)), ConfigError);
    assertEquals(error.key, key);
    assert(error.message.includes(JSON.stringify(value)), error.message);
  }
});

Deno.test("no published processor refuses a photograph, a scan or a long receipt", () => {
  for (const { processor: { image_processor_type: type, ...config } } of Object.values(publishedModels)) {
    const processor = createImageProcessor(type as ProcessorType, config);
    for (const [width, height] of [[4000, 3000], [2480, 3508], [600, 4000]]) {
      assertEquals(processor(grey(width, height)).pixelValues.shape.length, 4);
    }
  }
});

Deno.test("a GIF costs what its picture takes, however large its screen", async () => {
  const gif = Uint8Array.fromBase64("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7");
  new DataView(gif.buffer).setUint32(6, 8000 | 8000 << 16, true);
  await readImage(gif.slice(0)); // the decoder is loaded
  const before = processorTime();
  const { width, height, channels, data } = await readImage(gif);
  assert(processorTime() - before < 1000, `${processorTime() - before} ms of the processor`);
  assertEquals([width, height, channels, data.length], [8000, 8000, 4, 256e6]);
});

Deno.test("AutoImageProcessor.fromPretrained() names the repository of a size that is too large", async () => {
  const readText = (file: string) =>
    Promise.resolve(
      file === "preprocessor_config.json" ? '{"image_processor_type":"ViTImageProcessor","size":40000}' : undefined,
    );
  const error = await AutoImageProcessor.fromPretrained({ name: "org/model", readText }).catch((error) => error);
  assertInstanceOf(error, LimitError);
  assert(error.message.endsWith("(org/model)"), error.message);
});
