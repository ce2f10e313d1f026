// Weights of the Hub that cannot be used as they lie in its cache are converted once, into a cache of Limner's own.
import { assert, assertAlmostEquals, assertEquals, assertStringIncludes } from "@std/assert";
import { type LoadProgress, readCheckpoint, Tensor, VisionEncoderDecoderModel } from "../../mod.ts";
import { MemorySource } from "../../src/hub/mod.ts";
import { ZipArchive } from "../../src/checkpoint/torch/zip.ts";
import { listConverted } from "../../src/model/converted_weights.ts";
import { caption } from "../cli/command_process.ts";
import { folderOf, namesIn, withHub } from "../hub/hub_fixture.ts";
import type { HubServer } from "../hub/hub_server.ts";
import { concat, zip } from "../checkpoint/torch_file.ts";
import { binPieces } from "../checkpoint/weight_files.ts";
import { testedBackends } from "../backends/tested_backends.ts";

const fixture = new URL("../fixtures/models/vit_gpt2_captioning/", import.meta.url);

/** A torch.save's file with its storages compressed, which cannot be mapped into memory. */
async function compressed(file: URL): Promise<Uint8Array> {
  const archive = await ZipArchive.open(new MemorySource("weights.bin", await Deno.readFile(file)));
  const entries = [...archive.entries.values()].map(async (entry) => ({
    name: entry.name,
    data: await archive.read(entry),
    deflate: true,
  }));
  return zip(await Promise.all(entries));
}

/** Run a test with a model whose weights are compressed, and a cache of converted weights of its own. */
async function withCompressed(
  use: (place: { server: HubServer; cacheDir: string; own: string }) => Promise<void>,
): Promise<void> {
  await withHub(async ({ server, cacheDir }) => {
    const own = `${cacheDir}/own`;
    const before = Deno.env.get("LIMNER_CACHE");
    Deno.env.set("LIMNER_CACHE", own);
    try {
      server.publish("org/compressed", {
        "config.json": await Deno.readTextFile(new URL("config.json", fixture)),
        "pytorch_model.bin": await compressed(new URL("pytorch_model.bin", fixture)),
      });
      await use({ server, cacheDir, own });
    } finally {
      if (before === undefined) Deno.env.delete("LIMNER_CACHE");
      else Deno.env.set("LIMNER_CACHE", before);
    }
  });
}

Deno.test("compressed weights are converted once, and load as the same parameters", async () => {
  await withCompressed(async ({ server, cacheDir, own }) => {
    const load = async (options: { convertWeights?: boolean } = {}) => {
      const stages = new Set<LoadProgress["stage"]>();
      const onProgress = ({ stage }: LoadProgress) => void stages.add(stage);
      const place = { endpoint: server.url, cacheDir, backend: "reference", onProgress } as const;
      await using model = await VisionEncoderDecoderModel.fromPretrained("org/compressed", { ...place, ...options });
      const parameters = new Map<string, unknown>();
      for (const name of model.namedParameters().keys()) {
        const { dataType, shape, data } = await model.parameter(name);
        parameters.set(name, { dataType, shape, data: data.slice(0, 50) });
      }
      return { stages, parameters };
    };
    const plain = await load({ convertWeights: false });
    assertEquals([plain.stages.has("converting"), await namesIn(own)], [false, []]);
    const first = await load();
    assertEquals([first.stages.has("converting"), first.parameters], [true, plain.parameters]);
    const second = await load();
    assertEquals([second.stages.has("converting"), second.parameters], [false, plain.parameters]);
    const { weights: [converted] } = await listConverted();
    assertEquals(converted.name, "org/compressed");
    assert((await namesIn(converted.folder)).includes("model.safetensors"));
    const hub = folderOf(cacheDir, "org/compressed");
    assertEquals(await namesIn(hub), [".no_exist", "blobs", "refs", "snapshots"]);
    assertEquals((await namesIn(`${hub}/blobs`)).length, 2, "nothing is written into the Hub's cache");

    // What is damaged is written anew; a cache that cannot be written is done without.
    await Deno.writeTextFile(`${converted.folder}/model.safetensors`, "damaged");
    assertEquals((await load()).parameters, plain.parameters);
    await Deno.remove(own, { recursive: true });
    await Deno.writeTextFile(own, "a file");
    assertEquals((await load()).parameters, plain.parameters);
  });
});

Deno.test("compressed shards are converted together", async () => {
  await withCompressed(async ({ server, cacheDir }) => {
    const tensors = [...await readCheckpoint(new URL("pytorch_model.bin", fixture))]
      .filter(([, { dataType }]) => dataType === "float32"); // GPT-2's older files hold masks too
    const [half, files] = [tensors.length >> 1, {} as Record<string, Uint8Array>];
    for (const [i, shard] of [tensors.slice(0, half), tensors.slice(half)].entries()) {
      files[`pytorch_model-${i}.bin`] = concat(binPieces("compressed", new Map(shard)));
    }
    const index = tensors.map(([name], i) => [name, `pytorch_model-${i < half ? 0 : 1}.bin`]);
    server.publish("org/shards", {
      "config.json": await Deno.readTextFile(new URL("config.json", fixture)),
      "pytorch_model.bin.index.json": JSON.stringify({ weight_map: Object.fromEntries(index) }),
      ...files,
    });
    const options = { endpoint: server.url, cacheDir, backend: "reference" } as const;
    await using plain = await VisionEncoderDecoderModel.fromPretrained(fixture, { backend: "reference" });
    for (const expected of [true, false]) {
      let converted = false;
      const onProgress = ({ stage }: LoadProgress) => converted ||= stage === "converting";
      await using model = await VisionEncoderDecoderModel.fromPretrained("org/shards", { ...options, onProgress });
      assertEquals(converted, expected);
      for (const name of plain.namedParameters().keys()) {
        assertEquals(await model.parameter(name), await plain.parameter(name));
      }
    }
  });
});

Deno.test("weights of half precision are widened once for a backend that maps files, and stay what they are", async () => {
  await withCompressed(async ({ server, cacheDir, own }) => {
    const tensors = await readCheckpoint(new URL("pytorch_model.bin", fixture));
    for (const [name, { dataType }] of tensors) if (dataType !== "float32") tensors.delete(name); // masks, that GPT-2 had
    server.publish("org/half", {
      "config.json": await Deno.readTextFile(new URL("config.json", fixture)),
      "pytorch_model.bin": concat(binPieces("half", tensors)),
    });
    const options = { endpoint: server.url, cacheDir } as const;
    const picture = new Tensor("float32", [1, 3, 32, 32], new Float32Array(3 * 32 * 32).fill(0.5));
    const load = async (backend: "reference" | "ffi", convertWeights: boolean) => {
      const stages = new Set<LoadProgress["stage"]>();
      const onProgress = ({ stage }: LoadProgress) => void stages.add(stage);
      const loading = { ...options, backend, convertWeights, onProgress };
      await using model = await VisionEncoderDecoderModel.fromPretrained("org/half", loading);
      const { data } = (await model.forward({ pixelValues: picture, decoderInputIds: [[1, 2]] })).logits;
      const types = new Set([...model.namedParameters().values()].map(({ dataType }) => dataType));
      return { converted: stages.has("converting"), data, types };
    };
    const reference = await load("reference", true);
    assertEquals([reference.converted, await namesIn(own)], [false, []], "it reads them as they lie there");
    if (!testedBackends.includes("ffi")) return;
    const plain = await load("ffi", false);
    for (const expected of [true, false]) {
      const { converted, data, types } = await load("ffi", true);
      assertEquals([converted, types.has("float16")], [expected, true]);
      // The session packs what it maps, and adds in another order.
      for (const [i, value] of plain.data.entries()) assertAlmostEquals(data[i] as number, value as number, 1e-4);
    }
    const [folder] = await namesIn(`${own}/converted`);
    assertStringIncludes(folder, "-float32");
  });
});

Deno.test("weights that can be used as they are, and those of folders, are not converted", async () => {
  await withCompressed(async ({ server, cacheDir, own }) => {
    server.publish("org/stored", {
      "config.json": await Deno.readTextFile(new URL("config.json", fixture)),
      "pytorch_model.bin": await Deno.readFile(new URL("pytorch_model.bin", fixture)),
    });
    const options = { endpoint: server.url, cacheDir, backend: "reference" } as const;
    for (const source of ["org/stored", fixture]) {
      await using _model = await VisionEncoderDecoderModel.fromPretrained(source, options);
    }
    assertEquals(await namesIn(own), []);
  });
});

Deno.test("caption.ts cache lists what was converted, and clears it", async () => {
  await withCompressed(async ({ server, cacheDir, own }) => {
    const options = { endpoint: server.url, cacheDir, backend: "reference" } as const;
    await using _model = await VisionEncoderDecoderModel.fromPretrained("org/compressed", options);
    const env = { LIMNER_CACHE: own };
    const listed = await caption(["cache"], { env });
    assertEquals(listed.code, 0);
    assertStringIncludes(listed.stdout, "org/compressed\t");
    assertStringIncludes(listed.stderr, `1 converted model, `);
    assertEquals((await caption(["cache", "clear"], { env })).code, 0);
    assertEquals(await namesIn(`${own}/converted`), []);
    assertEquals((await caption(["cache"], { env })).stdout, "");
    assertEquals((await caption(["cache", "clean"], { env })).code, 2);
  });
});
