// Limner and its peers on the same weights, each in a process of its own.
import { isThere } from "./full_size.ts";
import { type Measured, runProcess } from "./processes.ts";

const here = new URL("./", import.meta.url).pathname;
const package_ = "@huggingface/transformers@4.3.2";

/** The programs that peers need. */
export interface Programs {
  /** A Python with torch and Transformers 5.23. */
  readonly python: string;
  /** A Python with optimum-onnx 0.1.0 and Transformers 4.57.6. */
  readonly exporter: string;
  readonly node: string;
}

/** Runs Limner, or a peer, on a model. */
export type Engine = (model: string, options?: Record<string, unknown>) => Promise<Measured>;

export const limner: Engine = (model, options = {}) =>
  runProcess(Deno.execPath(), [
    "run",
    "-A",
    "--quiet",
    "--no-check",
    `${here}limner_peer.ts`,
    model,
    JSON.stringify(options),
  ]);

/** PyTorch's Transformers. */
export function pytorch({ python }: Programs): Engine {
  return (model) => runProcess(python, [`${here}pytorch_peer.py`, model]);
}

/** transformers.js in Node; its package is installed into the folder where it is not there. */
export async function transformersJs({ node }: Programs, folder: string): Promise<Engine> {
  const place = `${folder}/node`;
  await Deno.mkdir(place, { recursive: true });
  await Deno.copyFile(`${here}transformers_js_peer.mjs`, `${place}/peer.mjs`);
  if (!await isThere(`${place}/node_modules/${package_.slice(0, package_.lastIndexOf("@"))}`)) {
    // Without scripts: that of onnxruntime-node fetches CUDA's files.
    await runProcess("npm", ["install", "--silent", "--ignore-scripts", "--prefix", place, package_]);
  }
  return (model, options = {}) => runProcess(node, [`${place}/peer.mjs`, model, JSON.stringify(options)], place);
}

/** Export a model for transformers.js, where that is not done. @returns Its folder. */
export async function exported({ exporter }: Programs, folder: string, name: string): Promise<string> {
  const target = `${folder}/${name}_exported`;
  if (!await isThere(`${target}/onnx/decoder_model_merged_quantized.onnx`)) {
    await runProcess(exporter, [`${here}export_peer.py`, `${folder}/${name}_float32`, target]);
  }
  return target;
}
