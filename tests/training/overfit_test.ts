// Every family learns one picture by heart, on every backend.
import { assert } from "@std/assert";
import { readCheckpoint, Trainer, VisionEncoderDecoderModel } from "../../mod.ts";

const folder = "tests/fixtures/models";

/** Models that together have each encoder and each decoder. */
async function coveringModels(): Promise<string[]> {
  const missing = new Map<string, Set<string>>();
  for (const { name } of [...Deno.readDirSync(folder)].sort((a, b) => a.name < b.name ? -1 : 1)) {
    const { encoder, decoder } = JSON.parse(await Deno.readTextFile(`${folder}/${name}/config.json`));
    missing.set(name, new Set([`encoder ${encoder.model_type}`, `decoder ${decoder.model_type}`]));
  }
  const [chosen, seen] = [[] as string[], new Set<string>()];
  for (const [name, families] of missing) {
    if (families.isSubsetOf(seen)) continue;
    chosen.push(name);
    for (const family of families) seen.add(family);
  }
  return chosen;
}

for (const name of await coveringModels()) {
  for (const backend of ["ffi", "reference", "webgpu"] as const) {
    Deno.test(`${name} learns a picture by heart, on ${backend}`, async () => {
      const golden = await readCheckpoint(`${folder}/${name}/golden.safetensors`);
      await using model = await VisionEncoderDecoderModel.fromPretrained(`${folder}/${name}`, { backend });
      model.config.decoder_start_token_id ??= 1;
      model.config.pad_token_id ??= 0;
      const pixels = golden.get("pixel_values")!;
      const one = pixels.data.length / pixels.shape[0];
      const pixelValues = new (pixels.constructor as new (...args: unknown[]) => typeof pixels)(
        "float32",
        [1, ...pixels.shape.slice(1)],
        pixels.data.slice(0, one),
      );
      await using trainer = await Trainer.create(model, { learningRate: 3e-3, weightDecay: 0, dropout: false });
      const labels = [[5, 9, 7, 3]];
      let loss = Infinity;
      for (let step = 0; step < 100 && !(loss < 0.01); step++) ({ loss } = await trainer.step({ pixelValues, labels }));
      assert(loss < 0.01, `the loss is ${loss} after 100 steps`);
    });
  }
}
