import { assertThrows } from "@std/assert";
import { ConfigError, ImageTextDataset, RawImage, ShapeError, VisionEncoderDecoderConfig } from "../../../mod.ts";
import { checkLabels } from "../../../src/training/data/mod.ts";
import { parts } from "./dataset_folder.ts";

const { tokenizer, processor } = await parts();
const image = new RawImage(new Uint8Array(64 * 8), 64, 8, 1);
const dataset = (text: string) => ImageTextDataset.fromPairs([{ image, text }], { tokenizer, processor });

/** The embedded model's configuration, changed. */
async function model(
  change: (config: VisionEncoderDecoderConfig) => void = () => {},
  eos: number | number[] | undefined = 2,
) {
  const config = await VisionEncoderDecoderConfig.fromPretrained(new URL("../../../assets/model/", import.meta.url));
  change(config);
  return { config, generationConfig: { eos_token_id: eos } };
}

Deno.test("checkLabels() takes what a model can learn", async () => {
  checkLabels(dataset("x".repeat(126)), await model());
  checkLabels(dataset("x"), await model(undefined, [0, 2]));
});

Deno.test("checkLabels() says which token a model lacks, and what to set", async () => {
  const without = (key: string) => model((config) => void (config[key] = undefined));
  const refused = async (key: string, message: string) => {
    const given = await without(key);
    assertThrows(() => checkLabels(dataset("x"), given), ConfigError, message);
  };
  await refused("pad_token_id", "config.pad_token_id is not set");
  await refused("pad_token_id", "set model.config.pad_token_id = 1");
  await refused("decoder_start_token_id", "set model.config.decoder_start_token_id = 0");
  const endless = { ...await model(), generationConfig: {} };
  assertThrows(() => checkLabels(dataset("x"), endless), ConfigError, "set model.generationConfig.eos_token_id = 2");
  const other = await model(undefined, 3);
  assertThrows(
    () => checkLabels(dataset("x"), other),
    ConfigError,
    "generate ends a text at 3, so that it would never stop",
  );
});

Deno.test("checkLabels() names the example that the decoder's vocabulary or positions do not fit", async () => {
  const small = await model((config) => void (config.decoder.vocab_size = 100));
  assertThrows(
    () => checkLabels(dataset("é"), small),
    ConfigError,
    'pairs[0]: its token 131 ("Ã") is beyond the decoder\'s vocabulary of 100; await model.resizeTokenEmbeddings(260)',
  );
  const given = await model();
  assertThrows(
    () => checkLabels(dataset("x".repeat(127)), given),
    ShapeError,
    "pairs[0]: its text has 129 tokens, and the decoder has 128 positions; maxLength: 128 counts such texts as broken",
  );
});
