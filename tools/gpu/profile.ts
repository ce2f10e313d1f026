// What a caption costs on the GPU, kernel by kernel: `deno task profile [MODEL] [--profile NAME] [--tokens N] [--dtype NAME]
// [--out FOLDER]`. It prints a table of the kernels (time, share, GB/s of the buffers they touch, GFLOP/s where that is known), and
// writes a timeline (timeline.svg), the kernels' WGSL and the list of dispatches to the folder.
import { parseArgs } from "node:util";
import { loadWithProfile, type ProfileName } from "../../backends/webgpu/mod.ts";
import type { WebGpuBackend } from "../../backends/webgpu/backend.ts";
import { type KernelTime, kernelTimes, writeTrace } from "../../backends/webgpu/device/trace_files.ts";
import { Captioner, Tensor, VisionEncoderDecoderModel, type WeightStorage } from "../../mod.ts";
import { drawTimeline } from "./timeline.ts";

const { values, positionals: [folder] } = parseArgs({
  args: Deno.args,
  allowPositionals: true,
  options: {
    profile: { type: "string" },
    tokens: { type: "string", default: "16" },
    dtype: { type: "string" },
    out: { type: "string", default: "profile" },
  },
});

await using backend = await loadWithProfile(values.profile as ProfileName | undefined) as WebGpuBackend;
const options = { backend, dtype: values.dtype as WeightStorage | undefined };
await using model = folder === undefined
  ? (await Captioner.load(undefined, options)).model
  : await VisionEncoderDecoderModel.fromPretrained(folder, options);
const { encoder } = model.config as unknown as { encoder: Record<string, number | number[]> };
const size = encoder.image_size;
const [height, width] = Array.isArray(size) ? size : [size, size];
const shape = [1, Number(encoder.num_channels ?? 3), height, width];
const pixels = Float32Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => Math.sin(i * 0.01));
const pixelValues = new Tensor("float32", shape, pixels);
const generate = () => model.generate(pixelValues, { maxNewTokens: Number(values.tokens), eosTokenId: null });

await generate();
const trace = backend.startTrace();
await generate();
const dispatches = await trace.take();
const kernels = kernelTimes(dispatches);
const what = `${folder ?? "the embedded model"}, ${values.tokens} tokens, ${backend.profile.name} on ${backend.device}`;
console.log(what);
printTable(kernels);
await writeTrace(values.out, dispatches);
if (dispatches.some(({ end }) => end !== undefined)) {
  await Deno.writeTextFile(`${values.out}/timeline.svg`, drawTimeline(dispatches, kernels, what));
} else console.log("the device has no timestamps: there are no times, and no timeline");
console.log(`the kernels, the dispatches and the timeline are in ${values.out}`);

/** A kernel a line; bytes are of whole buffers, so that GB/s are too high where a kernel reads a part. */
function printTable(kernels: readonly KernelTime[]): void {
  const total = kernels.reduce((sum, { microseconds }) => sum + microseconds, 0);
  const width = Math.max(...kernels.map(({ label }) => label.length));
  console.log(
    `${"kernel".padEnd(width)} ${"count".padStart(6)} ${"ms".padStart(9)} ${"share".padStart(6)} ${
      "GB/s".padStart(8)
    } GFLOP/s`,
  );
  for (const { label, count, microseconds, bytes, operations } of kernels) {
    const rate = (amount: number | undefined) =>
      amount === undefined || microseconds === 0 ? "-" : (amount / microseconds / 1000).toPrecision(3);
    const share = `${(100 * microseconds / (total || 1)).toFixed(1)} %`;
    console.log(
      `${label.padEnd(width)} ${String(count).padStart(6)} ${(microseconds / 1000).toFixed(3).padStart(9)} ${
        share.padStart(6)
      } ` +
        `${rate(bytes).padStart(8)} ${rate(operations).padStart(7)}`,
    );
  }
  console.log(`${"all".padEnd(width)} ${" ".repeat(6)} ${(total / 1000).toFixed(3).padStart(9)}`);
}
