// The project's figures in a few seconds, one line of JSON each: `deno run -A bench/figures.ts [BACKEND...]`. It uses the
// public interface only, so that it runs in the checkout of another revision too (compare.ts puts it there).
import {
  type BackendName,
  Captioner,
  defaultConfig,
  readImage,
  Tensor,
  type Timings,
  VisionEncoderDecoderConfig,
  VisionEncoderDecoderModel,
} from "../mod.ts";

/** A figure of one run: the less the better. */
export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: "ms" | "MB";
}

const root = new URL("../", import.meta.url);
const picture = "assets/examples/line.png";
const newTokens = 8;

/** How long a figure may be measured for, in ms; it is measured at least twice. */
const patience = 1500;

/** Do work some times. */
async function repeat(most: number, work: () => Promise<unknown>): Promise<void> {
  const ends = performance.now() + patience;
  for (let round = 0; round < most && (round < 2 || performance.now() < ends); round++) await work();
}

/** The least milliseconds that work takes: what disturbs it only adds. */
async function least(most: number, work: () => Promise<unknown>): Promise<number> {
  let found = Infinity;
  await repeat(most, async () => {
    const began = performance.now();
    await work();
    found = Math.min(found, performance.now() - began);
  });
  return found;
}

/** Milliseconds from the start of the command to its text. */
function start(backend: BackendName): Promise<number> {
  return least(3, async () => {
    const args = ["run", "-A", "--quiet", "caption.ts", "--backend", backend, picture];
    const { success } = await new Deno.Command(Deno.execPath(), { args, cwd: root, stdin: "null", stderr: "null" })
      .output();
    if (!success) throw new Error(`deno ${args.join(" ")} failed`);
  });
}

/** Reading a line with the embedded model. */
async function line(backend: BackendName): Promise<number> {
  await using captioner = await Captioner.load(undefined, { backend });
  const image = await readImage(new URL(picture, root));
  await captioner.caption(image);
  return await least(10, () => captioner.caption(image));
}

/** A captioner with half the usual widths and few layers, random: loading it, and what it then takes. */
async function captioner(backend: BackendName, folder: string): Promise<Figure[]> {
  const size = 224;
  const pixelValues = new Tensor("float32", [1, 3, size, size], new Float32Array(3 * size * size).fill(0.5));
  const before = Deno.memoryUsage().rss;
  const began = performance.now();
  await using model = await VisionEncoderDecoderModel.fromPretrained(folder, { backend });
  const load = performance.now() - began;
  let [encode, token, beams] = [Infinity, Infinity, Infinity];
  const options = { maxNewTokens: newTokens, minNewTokens: newTokens };
  const ofOne = (timings: Timings) => {
    encode = Math.min(encode, timings.encode);
    token = Math.min(token, timings.decode / newTokens);
  };
  const ofBeams = ({ decode }: Timings) => beams = Math.min(beams, decode / newTokens);
  await repeat(8, () => model.generate(pixelValues, { ...options, onTimings: ofOne }));
  await repeat(8, () => model.generate(pixelValues, { ...options, numBeams: 4, onTimings: ofBeams }));
  const memory = (Deno.memoryUsage().rss - before) / 2 ** 20;
  return [
    { name: "load", value: load, unit: "ms" },
    { name: "encode", value: encode, unit: "ms" },
    { name: "token", value: token, unit: "ms" },
    { name: "token_4_beams", value: beams, unit: "ms" },
    { name: "memory", value: memory, unit: "MB" },
  ];
}

/** Write the captioner's files. */
async function writeCaptioner(folder: string): Promise<void> {
  const config = VisionEncoderDecoderConfig.fromEncoderDecoderConfigs(
    defaultConfig("vit", { hidden_size: 384, num_hidden_layers: 3, num_attention_heads: 6, intermediate_size: 1536 }),
    defaultConfig("gpt2", { n_embd: 384, n_layer: 3, n_head: 6, bos_token_id: 0, eos_token_id: 1, pad_token_id: 1 }),
    { decoder_start_token_id: 0, pad_token_id: 1, eos_token_id: 1 },
  );
  await using model = await VisionEncoderDecoderModel.fromConfig(config, { backend: "reference", seed: 1 });
  await model.savePretrained(folder);
}

/** Figures of one backend in a process of its own, so that memory is what it takes alone. */
async function figuresOf(backend: BackendName, folder: string): Promise<Figure[]> {
  const { success, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", import.meta.url, "--of", backend, folder],
    cwd: root,
    stdin: "null",
    stderr: "null",
  }).output();
  if (!success) throw new Error(`Cannot measure ${backend}: its process failed`);
  const text = new TextDecoder().decode(stdout);
  return [{ name: "start", value: await start(backend), unit: "ms" }, ...JSON.parse(text)];
}

if (import.meta.main) {
  if (Deno.args[0] === "--of") {
    const [, backend, folder] = Deno.args;
    const figures = await captioner(backend as BackendName, folder);
    figures.push({ name: "line", value: await line(backend as BackendName), unit: "ms" });
    console.log(JSON.stringify(figures));
  } else {
    const backends = (Deno.args.length > 0 ? Deno.args : ["ffi", "webgpu"]) as BackendName[];
    const folder = await Deno.makeTempDir();
    try {
      await writeCaptioner(folder);
      for (const backend of backends) {
        for (const figure of await figuresOf(backend, folder)) {
          console.log(JSON.stringify({ ...figure, name: `${backend}_${figure.name}` }));
        }
      }
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  }
}
