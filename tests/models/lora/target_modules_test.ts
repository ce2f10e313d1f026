// Which layers are adapted: as Python's peft says (tests/scripts/make_lora.py), and as options of a new adapter say.
import { assert, assertEquals, assertThrows } from "@std/assert";
import { ConfigError, LimitError, OptionError, VisionEncoderDecoderConfig } from "../../../mod.ts";
import { defaultLimits } from "../../../src/limits/mod.ts";
import { linearLayers } from "../../../src/models/lora/linear_layers.ts";
import { architectureOf } from "../../../src/models/mod.ts";
import { createAdapter, type LoraOptions } from "../../../src/models/lora/create_adapter.ts";
import { readPeftConfig } from "../../../src/models/lora/peft_config.ts";
import { isTarget, pythonPattern, valueFor } from "../../../src/models/lora/target_modules.ts";
import { familyConfig } from "../family_models.ts";

interface Case {
  readonly config: Record<string, unknown>;
  /** Rank and scaling by module, by model. */
  readonly models: Readonly<Record<string, Record<string, number[]>>>;
}

const cases: readonly Case[] = JSON.parse(await Deno.readTextFile("tests/fixtures/adapters/targets.json"));

for (const model of Object.keys(cases[0].models)) {
  Deno.test(`target_modules and the patterns of ranks name the layers of ${model} that peft adapts`, async () => {
    const config = await VisionEncoderDecoderConfig.fromPretrained(`tests/fixtures/models/${model}`);
    const layers = linearLayers(config, architectureOf(config));
    for (const { config: given, models } of cases) {
      const { rules, rankPattern, alphaPattern } = readPeftConfig({ peft_type: "LORA", ...given }, "here");
      const adapted = layers.filter(({ modules, isHead }) => isTarget(modules[0], rules, isHead));
      const found = Object.fromEntries(adapted.map(({ modules: [module] }) => {
        const rank = valueFor(module, rankPattern, 4, "rank_pattern");
        return [module, [rank, valueFor(module, alphaPattern, 8, "alpha_pattern") / rank]];
      }));
      assertEquals(found, models[model], JSON.stringify(given));
    }
  });
}

Deno.test("a pattern that JavaScript cannot read is refused, with where it stands", () => {
  const error = assertThrows(() => pythonPattern("(?>a)b(", "target_modules"), ConfigError);
  assert(error.message.startsWith("Cannot read the adapter: target_modules is no regular expression"), error.message);
  assert(pythonPattern("^(?P<first>a)(?P=first)$", "target_modules").test("aa"));
});

const config = familyConfig("vit", "gpt2", 7);
const architecture = architectureOf(config);
const layers = linearLayers(config, architecture);
const make = (options: Partial<LoraOptions>, limits = defaultLimits) =>
  createAdapter({ rank: 2, alpha: 4, targets: ["q_proj"], ...options }, layers, limits).adapter;

Deno.test("a new adapter's targets are endings of names in memory, else in files; a pattern of either; or all but the head", () => {
  const paths = (targets: LoraOptions["targets"]) => [...make({ targets }).layers.keys()];
  const queries = [0, 1].map((n) => `encoder.encoder.layer.${n}.attention.attention.query`);
  assertEquals(paths(["q_proj"]), queries);
  assertEquals(paths(["query"]), queries);
  assertEquals(paths(["layers.1.attention.q_proj", "lm_head"]), [queries[1], "decoder.lm_head"]);
  assertEquals(paths(/layer\.0\..*query$/), queries.slice(0, 1));
  const all = paths("all-linear");
  assertEquals(layers.map(({ path }) => path).filter((path) => !all.includes(path)), ["decoder.lm_head"]);
  assert(all.includes("enc_to_dec_proj") && all.includes("encoder.pooler.dense"));
});

Deno.test("options of a new adapter that cannot be are refused by name", () => {
  const message = (options: Partial<LoraOptions>) => assertThrows(() => make(options), OptionError).message;
  assert(message({ rank: 0 }).includes('"rank": it is 0'));
  for (const rank of [-1, 1.5, NaN, Infinity, "8" as never]) {
    assert(message({ rank }).includes('"rank": it is '), `${rank}`);
  }
  for (const alpha of [NaN, Infinity, "8" as never]) assert(message({ alpha }).includes('"alpha"'), `${alpha}`);
  for (const dropout of [-0.1, 1, 1.5, NaN]) assert(message({ dropout }).includes('"dropout"'), `${dropout}`);
  assert(message({ targets: [] }).includes('"targets"'));
  assert(message({ r: 8 } as Partial<LoraOptions>).includes('"r": it does not exist; the options are rank'));
  const unknown = message({ targets: ["q_proj", "wq"] });
  assert(unknown.includes('"wq"') && unknown.includes("c_attn"), unknown);
  assertThrows(() => make({}, { ...defaultLimits, maxParameters: 10 }), LimitError, "its rank is 2");
});

Deno.test("a new adapter's rank is at most the smaller side of the largest matrix that it adapts", () => {
  const side = (targets: LoraOptions["targets"]) => {
    const adapted = new Set(make({ targets }).layers.keys());
    return Math.max(
      ...layers.filter(({ path }) => adapted.has(path)).map(({ inputs, outputs }) => Math.min(inputs, outputs)),
    );
  };
  for (const targets of [["q_proj"], "all-linear"] as const) {
    const most = side(targets);
    assertEquals([...make({ targets, rank: most }).layers.values()][0].rank, most);
    for (const rank of [most + 1, 100_000, 2 ** 50]) {
      const { message } = assertThrows(() => make({ targets, rank }), OptionError);
      assert(
        message.includes(`the option "rank" (--lora): it is ${rank}, expected at most ${most}: the smaller side`),
        message,
      );
    }
  }
});

Deno.test("layers that Transformers has in parts are refused by name", () => {
  const gated = familyConfig("dinov2", "bert", 7);
  const own = linearLayers(gated, architectureOf(gated));
  const options: LoraOptions = { rank: 2, alpha: 2, targets: ["gate_proj"] };
  const { message } = assertThrows(() => createAdapter(options, own, defaultLimits), OptionError);
  assert(message.includes("mlp.gate_proj and ") && message.includes("mlp.weights_in"), message);
});
