import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  AutoImageProcessor,
  AutoTokenizer,
  Captioner,
  type CaptionerParts,
  defaultConfig,
  HubError,
  OptionError,
  RawImage,
  VisionEncoderDecoderConfig,
  VisionEncoderDecoderModel,
} from "../../mod.ts";
import { createImageProcessor } from "../../src/image/mod.ts";
import { caption as command } from "../cli/command_process.ts";

const model = new URL("../../assets/model/", import.meta.url);
const line = new URL("../../assets/examples/line.png", import.meta.url);
const text = "ninth century Zen master";

/** A checkpoint as a training leaves it: a model without tokenizer and image processor. */
async function withCheckpoint(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    for await (const { name } of Deno.readDir(model)) {
      if (!/^(?:config|generation_config)\.json$|\.safetensors$/.test(name)) continue;
      await Deno.symlink(new URL(name, model), `${folder}/${name}`);
    }
    await use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("Captioner.load() takes the tokenizer and the image processor from elsewhere", async () => {
  await withCheckpoint(async (folder) => {
    for (const part of ["tokenizer", "processor"] as const) {
      const other = part === "tokenizer" ? "processor" : "tokenizer";
      const { message } = await assertRejects(() => Captioner.load(folder, { [other]: model }), HubError);
      assert(message.includes(`give ${part} where another has it`), message);
    }
    await using captioner = await Captioner.load(folder, { tokenizer: model, processor: model.pathname });
    assertEquals(await captioner.caption(line), text);
    await captioner.savePretrained(`${folder}/whole`);
    await using whole = await Captioner.load(`${folder}/whole`);
    assertEquals(await whole.caption(line), text);
  });
});

Deno.test("new Captioner() is made of parts, and names one that is missing", async () => {
  const parts: CaptionerParts = {
    model: await VisionEncoderDecoderModel.fromPretrained(model),
    tokenizer: await AutoTokenizer.fromPretrained(model),
    processor: await AutoImageProcessor.fromPretrained(model),
  };
  await using captioner = new Captioner(parts);
  assertEquals(await captioner.caption(line), text);
  for (const part of ["model", "tokenizer", "processor"]) {
    const { message } = assertThrows(() => new Captioner({ ...parts, [part]: undefined }), OptionError);
    assert(message.includes(`${part} is missing`), message);
  }
});

Deno.test("a captioner whose model takes one channel reads colours as grey, also from its folder", async () => {
  const size = { image_size: 16, patch_size: 8, hidden_size: 16, num_hidden_layers: 1, num_attention_heads: 2 };
  const tokenizer = await AutoTokenizer.fromPretrained(model);
  const config = VisionEncoderDecoderConfig.fromEncoderDecoderConfigs(
    defaultConfig("vit", { ...size, intermediate_size: 16, num_channels: 1 }),
    defaultConfig("gpt2", { n_embd: 16, n_layer: 1, n_head: 2, vocab_size: tokenizer.vocabularySize }),
    { decoder_start_token_id: 0, pad_token_id: 1, eos_token_id: 2 },
  );
  const folder = await Deno.makeTempDir();
  try {
    {
      const own = await VisionEncoderDecoderModel.fromConfig(config, { backend: "reference" });
      // A mean of one number for all channels: only the model says how many there are.
      const processor = createImageProcessor("ViTImageProcessor", { size: 16, image_mean: 0.5, image_std: 0.5 }, {
        channels: 1,
      });
      await using captioner = new Captioner({ model: own, tokenizer, processor });
      await captioner.savePretrained(folder);
    }
    await using captioner = await Captioner.load(folder, { backend: "reference" });
    const colours = new RawImage(Uint8Array.from({ length: 20 * 10 * 3 }, (_, i) => i * 37 % 256), 20, 10, 3);
    const [{ ids }] = await captioner.captions(colours, { maxNewTokens: 5 });
    const { pixelValues } = captioner.processor(colours.toGrey());
    assertEquals(pixelValues.shape, [1, 1, 16, 16]);
    assertEquals([ids], (await captioner.model.generate(pixelValues, { maxNewTokens: 5 })).sequences);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("the command takes --tokenizer, --processor and --max-pixels", async () => {
  await withCheckpoint(async (folder) => {
    const parts = ["--tokenizer", model.pathname, "--processor", model.pathname];
    assertEquals((await command(["--model", folder, ...parts, line.pathname])).stdout, `${text}\n`);
    const without = await command(["--model", folder, line.pathname]);
    assertEquals([without.code, without.stdout], [1, ""]);
    // Both are missing, and looked for at once.
    assert(/give (?:processor|tokenizer) where another has it/.test(without.stderr), without.stderr);
  });
  const { code, stderr } = await command(["--max-pixels", "100", line.pathname]);
  assertEquals(code, 1);
  assert(stderr.includes("at most 100 are read"), stderr);
});
