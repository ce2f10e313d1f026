// Where the model looked: the numbers, and the sheet that is drawn of them.
import { assert, assertEquals } from "@std/assert";
import {
  type Attention,
  AutoImageProcessor,
  Captioner,
  drawAttention,
  encodePng,
  RawImage,
  readImage,
  Tensor,
  VisionEncoderDecoderConfig,
} from "../../mod.ts";
import { layOut } from "../../src/attention/_tile_layout.ts";
import { modelView } from "../../src/attention/_model_view.ts";
import { architectureOf, buildEncode, defaultConfig } from "../../src/models/mod.ts";
import { encoderConfigs } from "../models/family_models.ts";

const fixtures = new URL("../fixtures/", import.meta.url);
const line = new URL("lines/001.png", fixtures);

Deno.test("places() tells where each encoder's states lie, whatever its sizes", async () => {
  const models = [...Deno.readDirSync(new URL("models/", fixtures))].map(({ name }) =>
    new URL(`models/${name}/`, fixtures)
  );
  const configs = await Promise.all(models.map((folder) => VisionEncoderDecoderConfig.fromPretrained(folder)));
  for (const [name, encoder] of Object.entries(encoderConfigs)) {
    configs.push(
      VisionEncoderDecoderConfig.fromEncoderDecoderConfigs(defaultConfig(name, encoder), defaultConfig("bert")),
    );
  }
  for (const config of configs) {
    const architecture = architectureOf(config);
    const { encoder } = architecture;
    for (const enlarged of [0, 21]) {
      const [height, width] = encoder.imageSize.map((side) => side + enlarged);
      const { special, grid, cell } = encoder.places([height, width]);
      const graph = buildEncode(architecture, [height, width], { interpolate: true });
      const states = graph.outputs.get("encoderStates")!.shape[1];
      assertEquals(special + grid[0] * grid[1], states, JSON.stringify(config.encoder));
      // A cell more would not fit, and a cell less would not do.
      const type = config.encoder.model_type as string;
      const across = width / cell[1];
      assert(
        type.includes("swin") ? grid[1] >= across && grid[1] - across < 1 : grid[1] <= across && across - grid[1] < 1,
      );
      const none = /swin|siglip/.test(type);
      assertEquals(special, none ? 0 : type === "deit" ? 2 : 1, type);
    }
  }
});

Deno.test("captions() gives each new token the heat of the last layer's heads", async () => {
  await using captioner = await Captioner.load(undefined, { backend: "reference" });
  const picture = await readImage(line);
  const { sequences, crossAttentions } = await captioner.model.generate(captioner.processor(picture).pixelValues, {
    outputAttentions: true,
  });
  const prompt = sequences[0].slice(1, 3);
  const [{ ids, attention }] = await captioner.captions(picture, { outputAttentions: true, decoderInputIds: [prompt] });
  assertEquals([ids, attention!.picture], [sequences[0], picture]);
  assertEquals(attention!.cell, [1, 1 / 64]);
  assertEquals(attention!.tokens.map(({ id }) => id), ids.slice(3));
  assertEquals(attention!.tokens.map(({ text }) => text).join(""), "ug it in.</s>");
  const { shape: [, H, T, S], data } = crossAttentions!.at(-1)!;
  attention!.tokens.forEach(({ heat }, i) => {
    assertEquals(heat.shape, [1, 64]);
    for (const column of [0, 20, 63]) {
      const heads = Array.from({ length: H }, (_, h) => Number(data[(h * T + i + 2) * S + 1 + column]));
      const mean = heads.reduce((sum, value) => sum + value, 0) / H;
      assert(Math.abs(mean - Number(heat.data[column])) < 1e-5);
    }
  });
});

Deno.test("the model looks at the letter that it reads", async () => {
  await using captioner = await Captioner.load(undefined, { backend: "reference" });
  const [{ attention }] = await captioner.captions(line, { outputAttentions: true });
  const places = attention!.tokens.map(({ heat }) => {
    const values = [...heat.data as Float32Array];
    return values.indexOf(Math.max(...values));
  });
  assertEquals(places, places.toSorted((a, b) => a - b));
  assert(places.at(-1)! - places[0] > 32, places.join());
});

Deno.test("a picture that was cropped, padded or turned is shown as the model saw it", async () => {
  const folder = new URL("images/", fixtures);
  const wide = new RawImage(new Uint8Array(3 * 40 * 20).map((_, i) => i % 251), 40, 20, 3);
  const processor = await AutoImageProcessor.fromPretrained(new URL("../../assets/model/", import.meta.url));
  assertEquals(modelView(wide, processor), wide);
  const config = { image_processor_type: "DonutImageProcessor", size: { height: 30, width: 30 } };
  const files = {
    name: folder.href,
    readText: (file: string) => Promise.resolve(file.startsWith("pre") ? JSON.stringify(config) : undefined),
  };
  const seen = modelView(wide, await AutoImageProcessor.fromPretrained(files));
  assertEquals([seen.width, seen.height], [30, 30]);
  assertEquals(seen.data[0], 0); // padding, black
  assert(seen.data[3 * (15 * 30 + 15)] > 0);
});

/** White, with one hot cell of a grid. */
function oneHot(size: [number, number], grid: [number, number], cell: [number, number], hot: number): Attention {
  const picture = new RawImage(new Uint8Array(3 * size[0] * size[1]).fill(255), size[1], size[0], 3);
  const heat = new Float32Array(grid[0] * grid[1]);
  heat[hot] = 0.3;
  return { picture, cell, tokens: [{ id: 0, text: "x", heat: new Tensor("float32", grid, heat) }] };
}

/** The middle of what glows in the only tile of a sheet, as shares of the tile's sides. */
async function glowOf(attention: Attention): Promise<[y: number, x: number]> {
  const sheet = await drawAttention(attention);
  const { tile, gap } = layOut(1, attention.picture);
  const hot: [number, number][] = [];
  for (let y = 0; y < tile.height; y++) {
    for (let x = 0; x < tile.width; x++) {
      const [red, , blue] = sheet.data.subarray(3 * ((gap + y) * sheet.width + gap + x));
      if (red - blue > 60) hot.push([(y + 0.5) / tile.height, (x + 0.5) / tile.width]);
    }
  }
  return [0, 1].map((axis) => hot.reduce((sum, place) => sum + place[axis], 0) / hot.length) as [number, number];
}

for (
  const [what, attention, expected] of [
    ["a line", oneHot([32, 512], [1, 64], [1, 1 / 64], 16), [0.5, 16.5 / 64]],
    ["a photo", oneHot([300, 400], [14, 14], [1 / 14, 1 / 14], 3 * 14 + 10), [3.5 / 14, 10.5 / 14]],
    ["a grid that leaves a rest out", oneHot([100, 100], [3, 3], [0.3, 0.3], 4), [0.45, 0.45]],
    ["a grid that reaches beyond", oneHot([100, 100], [3, 3], [0.4, 0.4], 5), [0.6, 0.9]],
  ] as const
) {
  Deno.test(`drawAttention() makes ${what} glow where the model looked`, async () => {
    const glow = await glowOf(attention);
    assert(glow.every((place, axis) => Math.abs(place - expected[axis]) < 0.03), `${glow}, expected ${expected}`);
  });
}

Deno.test("drawAttention() draws many tokens, extreme shapes and what its face lacks", async () => {
  for (const [width, height] of [[1, 1], [30_000, 1], [1, 3000], [224, 224]]) {
    for (const count of [0, 1, 300]) {
      const layout = layOut(Math.max(1, count), { width, height });
      assert(layout.width * layout.height < 40e6 && layout.columns * (layout.tile.width + 12) < layout.width);
    }
    const picture = new RawImage(new Uint8Array(width * height).fill(90), width, height, 1);
    const heat = new Tensor("float32", [1, 1], new Float32Array(1));
    const tokens = ["", " ", "猫", "\n", "a".repeat(300), "ß"].map((text, id) => ({ id, text, heat }));
    const sheet = await drawAttention({ picture, cell: [1, 1], tokens });
    const { columns, tile, label, gap } = layOut(tokens.length, picture);
    for (const [i, { text }] of tokens.entries()) {
      const left = gap + (i % columns) * (tile.width + gap);
      const top = gap + Math.floor(i / columns) * (tile.height + label.height + gap) + tile.height;
      let ink = 0;
      for (let y = top; y < top + label.height; y++) {
        const row = sheet.data.subarray(3 * (y * sheet.width + left), 3 * (y * sheet.width + left + tile.width));
        ink = row.reduce((most, value) => Math.max(most, value), ink);
      }
      assert(ink > 150, `"${text}" has no label`);
    }
  }
});

Deno.test("encodePng() writes what readImage() reads", async () => {
  for (const channels of [1, 2, 3, 4] as const) {
    const image = new RawImage(new Uint8Array(6 * channels).map((_, i) => 41 * i), 3, 2, channels);
    const read = await readImage(await encodePng(image));
    const alpha = (i: number) => channels % 2 === 0 ? image.data[(i + 1) * channels - 1] : 255;
    const expected = [...image.toRgb().data].flatMap((value, i) => i % 3 === 2 ? [value, alpha((i - 2) / 3)] : [value]);
    assertEquals([...read.data], expected);
  }
});
