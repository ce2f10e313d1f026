// What a start evaluates. A module costs some 0.3 ms before anything is done, and the command needs few of those that there are.
import { assert, assertEquals } from "@std/assert";
import { deno, root } from "./cli/command_process.ts";

/** The modules that a run of the command evaluates: those of the project by their paths, others by their addresses. */
async function evaluatedBy(args: readonly string[]): Promise<string[]> {
  const folder = await Deno.makeTempDir({ prefix: "limner_start_" });
  try {
    const { code, stderr } = await deno([`--coverage=${folder}`, "caption.ts", ...args]);
    assertEquals(code, 0, stderr);
    const modules: string[] = [];
    for await (const { name } of Deno.readDir(folder)) {
      if (!name.endsWith(".json")) continue;
      modules.push(JSON.parse(await Deno.readTextFile(`${folder}/${name}`)).url.replace(`file://${root}`, ""));
    }
    return modules.sort();
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** What one line of text in a PNG does not need. */
const needless: readonly RegExp[] = [
  /^src\/(?:attention|gradient|serve|training)\/(?!report\/edit_distance)/, // which the command's messages use
  /^src\/models\/(?:lora\/(?!lora_adapter)|model_work|quantization|warm_start)/,
  /^src\/models\/parameters\/resize/,
  /^src\/weights\/.*(?:encode|quantized)/,
  /^src\/checkpoint\/(?:torch|write|read_checkpoint|shard_index|missing)/,
  /^src\/hub\/(?:cache|http_repository|hub_(?!name)|atomic_file|inspect|network\/re[qd])/,
  /^src\/generation\/(?:slots|scores\/(?:host|top_[ph]|typical|probability|normalization)|search\/(?:beam_search\.|beam_dec|host))/,
  /^src\/captioner\/(?:nougat|document|token2json)/,
  /^src\/model\/(?:push|save|converted)/,
  /^src\/image\/formats\/(?:tiff\/(?!directory)|headers\/(?:avif|bmp|gif|jpeg|webp)|_decode_(?!png))/,
  /^src\/tokenizer\/pipeline\/(?:unigram|normalizers|_pattern|character_map)/,
  /^src\/cli\/(?:commands|usage|fleet|serve|train|doctor|attention_sheets)/,
  /^backends\/(?:reference|wasm|webgpu)/,
  /^backends\/ffi\/(?:integer_products|device\/device_memory)/,
  /\/registry\.npmjs\.org\/(?!@jsquash\/png\/)|\/node_modules\/(?!.*@jsquash\/png\/)/,
];

Deno.test("a picture is read without the modules that it does not need", async () => {
  const modules = await evaluatedBy(["--backend", "ffi", "assets/examples/line.png"]);
  for (const needed of ["src/cli/read_pictures.ts", "src/image/formats/headers/png_header.ts", "backends/ffi/mod.ts"]) {
    assert(modules.includes(needed), needed);
  }
  assertEquals(modules.filter((module) => needless.some((pattern) => pattern.test(module))), []);
  assert(modules.length <= 290, `${modules.length} modules`);
});

Deno.test("what is lazy is found where it is asked for", async () => {
  const modules = await evaluatedBy(["--backend", "ffi", "--beams", "2", "--dtype", "q8", "assets/examples/date.png"]);
  for (const needed of ["src/generation/search/beam_search.ts", "src/weights/quantized_weight.ts"]) {
    assert(modules.includes(needed), needed);
  }
});

Deno.test("--help and --version evaluate nothing of a model", async () => {
  for (const option of ["--help", "--version"]) {
    const modules = await evaluatedBy([option]);
    assert(modules.includes("src/cli/usage.ts"), option);
    assert(modules.length <= 14, modules.join(", "));
  }
});
