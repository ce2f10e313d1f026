// A step of fine-tuning of usual size, ViT-B/16 with GPT-2 (239 M parameters, random), 4 pictures with 16 labels each:
// `deno run -A bench/training_bench.ts [STEPS] [webgpu]`. It prints the whole model's step, and that of LoRA of rank 8 on the
// decoder's attention with the encoder frozen, as ratios of PyTorch's whole step where python3 has torch and transformers, and of
// one another; with "webgpu" that backend's step too. It needs 3 GB of disk and 8 GB of memory.
import {
  type BackendName,
  defaultConfig,
  Tensor,
  Trainer,
  VisionEncoderDecoderConfig,
  VisionEncoderDecoderModel,
} from "../mod.ts";

const [rows, T, vocabulary] = [4, 16, 50257];

const python = `
import json, resource, sys, time
import torch
from transformers import VisionEncoderDecoderModel
folder, steps = sys.argv[1], int(sys.argv[2])
model = VisionEncoderDecoderModel.from_pretrained(folder).train()
for module in model.modules():
    if isinstance(module, torch.nn.Dropout): module.p = 0.0
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5)
pixels = torch.ones(4, 3, 224, 224)
labels = (torch.arange(64).reshape(4, 16) * 37) % 50257
times, losses = [], []
for _ in range(steps):
    began = time.perf_counter()
    loss = model(pixel_values=pixels, labels=labels).loss
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    losses.append(loss.item())
    times.append((time.perf_counter() - began) * 1000)
print(json.dumps({"times": times, "losses": losses, "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))
`;

/** What a run took: milliseconds and loss of each step, and the most memory that the process had, in MB. */
interface Run {
  readonly times: number[];
  readonly losses: number[];
  readonly peak: number;
}

/** Take steps, in a process of its own, and print what they took. */
async function measure(folder: string, steps: number, backend: BackendName, kind: string): Promise<void> {
  await using model = await VisionEncoderDecoderModel.fromPretrained(folder, { backend });
  const lora = { rank: 8, alpha: 16, targets: /^decoder\..*attn\.(c_attn|q_attn|c_proj)$/ };
  await using trainer = await Trainer.create(model, {
    learningRate: 1e-5,
    dropout: false,
    ...(kind === "lora" && { lora }),
  });
  const pixelValues = new Tensor("float32", [rows, 3, 224, 224], new Float32Array(rows * 3 * 224 * 224).fill(1));
  const labels = Array.from(
    { length: rows },
    (_, row) => Array.from({ length: T }, (_, i) => (row * T + i) * 37 % vocabulary),
  );
  const times: number[] = [], losses: number[] = [];
  for (let i = 0; i < steps; i++) {
    const began = performance.now();
    losses.push((await trainer.step({ pixelValues, labels })).loss);
    times.push(performance.now() - began);
  }
  const status = await Deno.readTextFile("/proc/self/status");
  console.log(JSON.stringify({ times, losses, peak: Number(/VmHWM:\s+(\d+)/.exec(status)?.[1]) / 1024 }));
}

/** Run a program that prints a run; undefined, and said why, where it cannot. */
async function run(name: string, args: string[]): Promise<Run | undefined> {
  try {
    const { code, stdout, stderr } = await new Deno.Command(name, { args, stderr: "piped" }).output();
    if (code === 0) return JSON.parse(new TextDecoder().decode(stdout).trim().split("\n").at(-1)!);
    console.log(`${name}: ${new TextDecoder().decode(stderr).trim().split("\n").at(-1)}`);
  } catch (error) {
    console.log(`${name}: ${(error as Error).message}`);
  }
}

/** The time of a step after the first, which compiles. */
const stepTime = ({ times }: Run) => Math.min(...times.slice(1));

function print(what: string, measured: Run | undefined, against: Run | undefined, whose: string): void {
  if (!measured) return;
  const own =
    `first step ${(measured.times[0] / 1000).toFixed(1)} s, a step ${(stepTime(measured) / 1000).toFixed(2)} s, ` +
    `${measured.peak.toFixed(0)} MB, losses ${measured.losses.map((loss) => loss.toFixed(4)).join(" ")}`;
  const ratio = against
    ? `: ${(stepTime(measured) / stepTime(against)).toFixed(2)} x the time, ` +
      `${(measured.peak / against.peak).toFixed(2)} x the memory of ${whose}`
    : "";
  console.log(`${what}${ratio} (${own})`);
}

async function main(steps: number, webgpu: boolean): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    const config = VisionEncoderDecoderConfig.fromEncoderDecoderConfigs(
      defaultConfig("vit"),
      defaultConfig("gpt2", { add_cross_attention: true }),
    );
    Object.assign(config, { decoder_start_token_id: 50256, pad_token_id: 50256 });
    {
      await using model = await VisionEncoderDecoderModel.fromConfig(config, { backend: "ffi" });
      await model.savePretrained(folder);
    }
    const own = (backend: string, kind: string, steps: number) =>
      run(Deno.execPath(), [
        "run",
        "-A",
        new URL(import.meta.url).pathname,
        "measure",
        folder,
        `${steps}`,
        backend,
        kind,
      ]);
    const theirs = await run("python3", ["-c", python, folder, `${steps}`]);
    print("PyTorch", theirs, undefined, "");
    const whole = await own("ffi", "whole", steps);
    print("ffi", whole, theirs, "PyTorch");
    print("ffi, LoRA", await own("ffi", "lora", steps), whole, "the whole step");
    if (webgpu) print("webgpu", await own("webgpu", "whole", 2), whole, "ffi");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

if (Deno.args[0] === "measure") {
  const [, folder, steps, backend, kind] = Deno.args;
  await measure(folder, Number(steps), backend as BackendName, kind);
} else await main(Number(Deno.args[0] ?? 4), Deno.args[1] === "webgpu");
