// A captioner of two checkpoints, an encoder and a decoder that have never met, taught to say what coloured shape it sees:
// deno run -A examples/warm_start.ts [ENCODER DECODER], such as google/vit-base-patch16-224-in21k google-bert/bert-base-uncased
//
// Without names it takes small checkpoints of random weights from this repository's tests.
import {
  AutoImageProcessor,
  AutoTokenizer,
  ImageTextDataset,
  RawImage,
  Trainer,
  VisionEncoderDecoderModel,
} from "@limner/limner";

const colours = { red: [220, 40, 40], green: [40, 180, 60], blue: [40, 70, 220], white: [240, 240, 240] } as const;
const shapes = ["box", "bar", "cross"] as const;
const side = 32;
const steps = Number(Deno.env.get("WARM_START_STEPS") ?? 600);

/** Whether a shape of a size covers a place, counted from its middle. */
function covers(shape: typeof shapes[number], size: number, x: number, y: number): boolean {
  const [dx, dy] = [Math.abs(x), Math.abs(y)];
  if (shape === "box") return dx <= size && dy <= size;
  if (shape === "bar") return dx <= size && dy <= 1;
  return Math.max(dx, dy) <= size && Math.min(dx, dy) <= 1;
}

/** So many pictures with their texts; each of the few texts is as frequent. */
function draw(count: number, seed: number): { image: RawImage; text: string }[] {
  let state = seed;
  const random = () => (state = (1664525 * state + 1013904223) % 2 ** 32) / 2 ** 32;
  return Array.from({ length: count }, (_, i) => {
    const shape = shapes[i % shapes.length];
    const [colour, rgb] = Object.entries(colours)[Math.floor(i / shapes.length) % 4];
    const size = 6 + Math.floor(5 * random());
    const [cx, cy] = [12 + Math.floor(8 * random()), 12 + Math.floor(8 * random())];
    const pixels = new Uint8Array(side * side * 3);
    for (let y = 0; y < side; y++) {
      for (let x = 0; x < side; x++) if (covers(shape, size, x - cx, y - cy)) pixels.set(rgb, 3 * (side * y + x));
    }
    return { image: new RawImage(pixels, side, side, 3), text: `a ${colour} ${shape}` };
  });
}

/** Two small checkpoints: those of this repository's tests, with what goes before an encoder and after a decoder. */
async function standIns(folder: string): Promise<[string, string]> {
  const fixtures = new URL("../tests/fixtures/", import.meta.url).pathname;
  const sources = {
    encoder: ["warmstart/checkpoints/encoders/vit"],
    decoder: ["tokenizers/bert_uncased_vocab_only", "warmstart/checkpoints/decoders/bert_masked_lm"],
  };
  for (const [half, parts] of Object.entries(sources)) {
    await Deno.mkdir(`${folder}/${half}`);
    for (const part of parts) {
      for (const { name } of Deno.readDirSync(fixtures + part)) {
        await Deno.copyFile(`${fixtures}${part}/${name}`, `${folder}/${half}/${name}`);
      }
    }
  }
  const processor = { image_processor_type: "ViTImageProcessor", size: { height: side, width: side } };
  await Deno.writeTextFile(`${folder}/encoder/preprocessor_config.json`, JSON.stringify(processor));
  return [`${folder}/encoder`, `${folder}/decoder`];
}

const scratch = await Deno.makeTempDir();
try {
  const [encoder, decoder] = Deno.args.length === 2 ? Deno.args : await standIns(scratch);
  const processor = await AutoImageProcessor.fromPretrained(encoder);
  const tokenizer = await AutoTokenizer.fromPretrained(decoder);
  await using model = await VisionEncoderDecoderModel.fromEncoderDecoderPretrained(encoder, decoder, { seed: 0 });
  for (const settings of [model.config, model.generationConfig]) {
    settings.decoder_start_token_id = tokenizer.clsTokenId;
    settings.pad_token_id = tokenizer.padTokenId;
  }
  model.generationConfig.eos_token_id = tokenizer.sepTokenId;

  const parts = { tokenizer, processor, addSpecialTokens: false, endTokenId: tokenizer.sepTokenId };
  const [learned, unseen] = [draw(480, 1), draw(24, 2)].map((pairs) => ImageTextDataset.fromPairs(pairs, parts));
  await using trainer = await Trainer.create(model, {
    learningRate: 3e-3,
    maxGradNorm: 1,
    dropout: false,
    schedule: "cosine",
    warmupSteps: 40,
    totalSteps: steps,
  });
  const report = async (when: string) => {
    const { loss, exactMatch } = await trainer.evaluate(unseen);
    console.log(`${when}: loss ${loss.toFixed(3)}, ${Math.round(100 * exactMatch)} % of the new pictures read`);
  };
  await report("before");
  await trainer.fit(learned, { steps, batchSize: 16 });
  await report("after");
} finally {
  await Deno.remove(scratch, { recursive: true });
}
