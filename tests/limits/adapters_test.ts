// What an adapter_config.json may ask for: absurd numbers, patterns that backtrack without end, and lists without one.
import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import { ConfigError, LimitError, LimnerError, VisionEncoderDecoderModel } from "../../mod.ts";
import { processorTime } from "../process_cost.ts";
import { values } from "./absurd_cases.ts";

const source = "tests/fixtures/adapters/vit_gpt2";
const given: Record<string, unknown> = JSON.parse(await Deno.readTextFile(`${source}/adapter_config.json`));

/** Load the adapter with fields changed. @returns What it was refused with, within a second. */
async function load(
  model: VisionEncoderDecoderModel,
  change: Record<string, unknown>,
): Promise<LimnerError | undefined> {
  const folder = await Deno.makeTempDir();
  await Deno.copyFile(`${source}/adapter_model.safetensors`, `${folder}/adapter_model.safetensors`);
  await Deno.writeTextFile(`${folder}/adapter_config.json`, JSON.stringify({ ...given, ...change }));
  const before = processorTime();
  const error = await model.loadAdapter(folder).then(() => undefined, (error) => error);
  const taken = processorTime() - before;
  await Deno.remove(folder, { recursive: true });
  assert(taken < 1000, `${taken} ms of the processor: ${error}`);
  if (!error) await model.unloadAdapter();
  else assertInstanceOf(error, LimnerError, error.stack);
  return error;
}

/** A model that adapters are loaded into, and has been once: what is loaded once is loaded. */
async function opened(): Promise<VisionEncoderDecoderModel> {
  const folder = "tests/fixtures/models/vit_gpt2_captioning";
  const limits = { patternMilliseconds: 200 };
  const model = await VisionEncoderDecoderModel.fromPretrained(folder, { backend: "reference", limits });
  assertEquals(await load(model, {}), undefined);
  return model;
}

Deno.test("absurd numbers of an adapter are refused by their key, or of no effect", async () => {
  await using model = await opened();
  const places: readonly [key: string, change: (value: unknown) => unknown][] = [
    ["r", (value) => value],
    ["lora_alpha", (value) => value],
    ["lora_dropout", (value) => value],
    ["rank_pattern", (value) => ({ q_proj: value })],
    ["alpha_pattern", (value) => ({ q_proj: value })],
    ["layers_to_transform", (value) => value],
    ["layers_to_transform", (value) => [value]],
  ];
  let refused = 0;
  for (const [key, change] of places) {
    for (const value of values) {
      const error = await load(model, { [key]: change(value) });
      if (!error) continue;
      const where = error instanceof ConfigError ? error.key : "";
      // A layer of a number that the model does not have is not adapted, and the file's values are then too many.
      const named = error.message.includes(key) || where === key || key === "layers_to_transform";
      assert(named, `${key}: ${JSON.stringify(value)}: ${error.message}`);
      refused++;
    }
  }
  assert(refused > 40, `${refused} were refused`);
});

Deno.test("patterns of an adapter that backtrack without end are stopped, in each place", async () => {
  await using model = await opened();
  const endless = ["(\\w+\\.?)+!", "(.*.*)*!", "(?:\\w|\\w)*!", "((?:[a-z_.]|[a-z_.\\d]+)+)+!"];
  const places: Readonly<Record<string, (pattern: string) => Record<string, unknown>>> = {
    target_modules: (pattern) => ({ target_modules: pattern }),
    exclude_modules: (pattern) => ({ exclude_modules: pattern }),
    layers_pattern: (pattern) => ({ layers_to_transform: [0], layers_pattern: [pattern] }),
    rank_pattern: (pattern) => ({ rank_pattern: { [pattern]: 3 } }),
    alpha_pattern: (pattern) => ({ alpha_pattern: { [pattern]: 3 } }),
  };
  for (const [key, change] of Object.entries(places)) {
    let stopped = 0;
    for (const pattern of endless) {
      const error = await load(model, change(pattern));
      if (!(error instanceof LimitError)) continue;
      assertEquals(error.details.limit, "patternMilliseconds");
      assert(error.message.includes(key) && error.message.includes("adapter_model.safetensors"), error.message);
      stopped++;
    }
    assert(stopped > 0, `${key}: no pattern was stopped`);
  }
});

Deno.test("lists and tables of an adapter without end are refused, or read soon", async () => {
  await using model = await opened();
  for (const count of [200_000, 10_000]) {
    const names = Array.from({ length: count }, (_, i) => `layer${i}`);
    const lists: Readonly<Record<string, unknown>> = {
      target_modules: names,
      exclude_modules: names,
      rank_pattern: Object.fromEntries(names.map((name) => [name, 3])),
      layers_to_transform: names.map((_, i) => i),
    };
    for (const [key, value] of Object.entries(lists)) {
      const error = await load(model, { [key]: value });
      if (count > 10_000) assert(error?.message.includes(`${key} has 200000 entries, expected at most 10000`));
      assert((error?.message.length ?? 0) < 1000, error?.message);
    }
  }
});
