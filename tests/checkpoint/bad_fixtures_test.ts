// All 112 malformed inputs, each as its index says, in a process whose memory is watched: weights (as a file, and as those
// of a model), models, tokenizers and pictures. Peak memory is read from /proc; where there is none it is not measured.
import { assert, assertEquals } from "@std/assert";
import { costFlags } from "../process_cost.ts";

const bad = new URL("../fixtures/bad/", import.meta.url).pathname;
const allowance = 64e6;

/** Reads each input given as [kind, path]; prints what came of it, and its cost. */
const program = `
import { forgetPeak, memory, processorTime } from ${JSON.stringify(import.meta.resolve("../process_cost.ts"))};
import {
  AutoTokenizer,
  Captioner,
  LimnerError,
  readCheckpoint,
  readImage,
  VisionEncoderDecoderModel,
} from ${JSON.stringify(import.meta.resolve("../../mod.ts"))};

const model = (folder) => VisionEncoderDecoderModel.fromPretrained(folder, { backend: "reference" });
const readers = {
  safetensors: readCheckpoint,
  torch_bin: readCheckpoint,
  model,
  repositories: (folder) => Captioner.load(folder, { backend: "reference" }),
  tokenizers: (folder) => AutoTokenizer.fromPretrained(folder),
  images: (file) => readImage(file),
};
const [inputs, warm] = [JSON.parse(Deno.args[0]), JSON.parse(Deno.args[1])];
for (const [kind, path] of [...warm, ...inputs]) {
  forgetPeak();
  const before = memory().resident, started = processorTime();
  let outcome = "ok", message = "";
  try {
    await readers[kind](path);
  } catch (error) {
    outcome = error instanceof LimnerError ? "error" : "crash";
    message = String(error.message);
  }
  const [ms, grown] = [processorTime() - started, memory().peak - before];
  console.log(JSON.stringify({ outcome, message, ms, grown }));
}
`;

interface Outcome {
  outcome: "ok" | "error" | "crash";
  message: string;
  ms: number;
  grown: number;
}

/** Read inputs in a process of their own, after some good ones, which bring the code into memory. */
async function outcomes(folder: string, inputs: [string, string][], warm: [string, string][]): Promise<Outcome[]> {
  await Deno.writeTextFile(`${folder}/read.ts`, program);
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-check", costFlags, "-A", `--config=${new URL("../../deno.json", import.meta.url).pathname}`]
      .concat(`${folder}/read.ts`, JSON.stringify(inputs), JSON.stringify(warm)),
    env: { TMPDIR: folder },
  }).output();
  assertEquals(code, 0, new TextDecoder().decode(stderr));
  const lines = new TextDecoder().decode(stdout).trim().split("\n").map((line) => JSON.parse(line));
  return lines.slice(warm.length);
}

async function sizeOf(path: string): Promise<number> {
  const { isDirectory, size } = await Deno.stat(path);
  if (!isDirectory) return size;
  let sum = 0;
  for await (const { name } of Deno.readDir(path)) sum += await sizeOf(`${path}/${name}`);
  return sum;
}

Deno.test("each malformed input costs no more than its size and 64 MB and 2 s of work, ends as its index says, runs nothing", async () => {
  const cases: { kind: string; path: string; expect: string }[] = [];
  for (const kind of ["safetensors", "torch_bin", "tokenizers", "images"]) {
    const index = JSON.parse(await Deno.readTextFile(`${bad}${kind}/index.json`));
    for (const { path, expect } of index.cases) cases.push({ kind, path: `${bad}${kind}/${path}`, expect });
  }
  for await (const { name } of Deno.readDir(`${bad}repositories`)) {
    cases.push({ kind: "repositories", path: `${bad}repositories/${name}`, expect: "error" });
  }
  assertEquals(cases.length, 112);

  const folder = await Deno.makeTempDir();
  try {
    // The weights once more, as those of a model: even the well-formed ones lack its parameters.
    for (const [i, { kind, path }] of [...cases.entries()]) {
      const name = { safetensors: "model.safetensors", torch_bin: "pytorch_model.bin" }[kind];
      if (!name) continue;
      const model = `${folder}/${i}`;
      await Deno.mkdir(model);
      await Deno.copyFile(new URL("../fixtures/models/vit_bert/config.json", import.meta.url), `${model}/config.json`);
      await Deno.copyFile(path, `${model}/${name}`);
      cases.push({ kind: "model", path: model, expect: "error" });
    }
    const warm: [string, string][] = [
      ["torch_bin", `${bad}torch_bin/ok_zip.bin`],
      ["model", new URL("../fixtures/models/vit_bert/", import.meta.url).pathname],
      ["images", `${bad}images/ok.png`],
      ["images", `${bad}images/ok.jpg`],
      ["tokenizers", new URL("../fixtures/models/vit_bert/", import.meta.url).pathname],
    ];
    const found = await outcomes(folder, cases.map(({ kind, path }) => [kind, path]), warm);
    assertEquals(found.length, cases.length);
    for (const [i, { path, expect }] of cases.entries()) {
      const { outcome, message, ms, grown } = found[i];
      assert(expect.split(" or ").includes(outcome), `${path}: ${outcome} ${message}, expected ${expect}`);
      assert(outcome === "ok" || (message.length > 20 && !message.includes("\n")), `${path}: ${message}`);
      assert(ms < 2000, `${path} took ${ms.toFixed(0)} ms of the processor`);
      assert(grown <= await sizeOf(path) + allowance, `${path} took ${(grown / 1e6).toFixed(0)} MB: ${message}`);
    }
    for (const place of [folder, "/tmp"]) {
      assertEquals(await Deno.stat(`${place}/ved_pwned`).then(() => "it ran", () => "nothing"), "nothing");
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
