// The twins of docs/from-transformers.md run: with small checkpoints under the names they use, and a picture from here.
import { assert, assertEquals, assertMatch } from "@std/assert";
import { deno, root } from "./cli/command_process.ts";
import { isLong } from "./effort.ts";
import { namesIn, withHub } from "./hub/hub_fixture.ts";
import type { HubServer } from "./hub/hub_server.ts";

const text = await Deno.readTextFile(`${root}docs/from-transformers.md`);
const twins = [...text.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code]) => code);
const cats = "http://images.cocodataset.org/val2017/000000039769.jpg";

/** What each twin prints, in order. */
const printed = [
  /^\d+ new parameters\n$/,
  /^\d+ parameters are in neither, such as/,
  /^ninth century Zen master\n$/,
  /^ninth century Zen master\n$/,
  /^\d+\.\d+\n$/,
];

/** The files of a folder. */
async function filesOf(folder: string): Promise<Record<string, Uint8Array>> {
  const names = await namesIn(folder);
  return Object.fromEntries(
    await Promise.all(names.map(async (name) => [name, await Deno.readFile(`${folder}/${name}`)] as const)),
  );
}

/** Small checkpoints under the names of the page. */
async function publish(server: HubServer): Promise<void> {
  const { encoders, decoders, tokenizers } = {
    encoders: `${root}tests/fixtures/warmstart/checkpoints/encoders`,
    decoders: `${root}tests/fixtures/warmstart/checkpoints/decoders`,
    tokenizers: `${root}tests/fixtures/tokenizers`,
  };
  const processor = { image_processor_type: "ViTImageProcessor", size: { height: 32, width: 32 } };
  await server.publishFolder("nlpconnect/vit-gpt2-image-captioning", `${root}assets/model`);
  await server.publishFolder("microsoft/swin-base-patch4-window7-224-in22k", `${encoders}/swin`);
  server.publish("google/vit-base-patch16-224-in21k", {
    ...await filesOf(`${encoders}/vit`),
    "preprocessor_config.json": JSON.stringify(processor),
  });
  server.publish("google-bert/bert-base-uncased", {
    ...await filesOf(`${tokenizers}/bert_uncased_vocab_only`),
    ...await filesOf(`${decoders}/bert_masked_lm`),
  });
}

/** A twin with a picture that is here, and in the short form with configurations that are small. */
function local(code: string): string {
  const here = code.replaceAll(cats, `${root}assets/examples/line.png`);
  const small = "{ hidden_size: 24, num_hidden_layers: 2, num_attention_heads: 4, intermediate_size: 48 }";
  return isLong ? here : here.replaceAll(/defaultConfig\("(\w+)"\)/g, `defaultConfig("$1", ${small})`);
}

Deno.test("each snippet of Transformers' page has a twin that runs", async () => {
  assertEquals(twins.length, printed.length);
  assertEquals([...text.matchAll(/^```python$/gm)].length, 4);
  await withHub(async ({ server, cacheDir }) => {
    await publish(server);
    const env = { HF_ENDPOINT: server.url, HF_HUB_CACHE: cacheDir, HF_HUB_OFFLINE: "", HF_TOKEN: "" };
    for (const [i, code] of twins.entries()) {
      const script = `${cacheDir}/twin_${i}.ts`;
      await Deno.writeTextFile(script, local(code));
      const { stdout, stderr, code: exit } = await deno(["--config", `${root}deno.json`, script], { env });
      assertEquals(exit, 0, stderr);
      assertMatch(stdout, printed[i]);
    }
    assert(server.requests.length > 0);
  });
});
