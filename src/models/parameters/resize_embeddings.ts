// A decoder with more or fewer tokens, as PreTrainedModel.resize_token_embeddings: rows are cut off, or added as the mean
// of those that are there.
import { Tensor, toFloat32 } from "../../tensor/mod.ts";
import { weightFromTensor } from "../../weights/mod.ts";
import { declaredParameters, ModelParameters } from "./model_parameters.ts";
import { type Architecture, architectureOf } from "../vision_encoder_decoder.ts";
import type { VisionEncoderDecoderConfig } from "../config/vision_encoder_decoder_config.ts";

/** Cut or lengthen the first axis; what is new is the mean over it. */
function resizeRows(tensor: Tensor, rows: number): Tensor {
  const [before, ...rest] = tensor.shape;
  const width = tensor.size / before;
  const values = toFloat32(tensor.dataType, tensor.data);
  const data = new Float32Array(rows * width);
  data.set(values.subarray(0, data.length));
  for (let column = 0; column < width && rows > before; column++) {
    let sum = 0;
    for (let row = 0; row < before; row++) sum += values[row * width + column];
    for (let row = before; row < rows; row++) data[row * width + column] = sum / before;
  }
  return new Tensor("float32", [rows, ...rest], data);
}

/**
 * Give a decoder another number of tokens; `config.decoder.vocab_size` is set.
 *
 * @param architecture Its model as it is.
 * @param read Reads a parameter's current value.
 * @throws {ConfigError} If the number is not a positive whole number.
 */
export async function resizeEmbeddings(
  config: VisionEncoderDecoderConfig,
  { ties, limits }: Architecture,
  parameters: ModelParameters,
  read: (name: string) => Promise<Tensor>,
  vocabularySize: number,
): Promise<{ architecture: Architecture; parameters: ModelParameters }> {
  const before = config.decoder.vocab_size;
  config.decoder.vocab_size = vocabularySize;
  let architecture: Architecture;
  try {
    // What the files hold apart stays apart.
    architecture = { ...architectureOf(config, limits), ties };
  } catch (error) {
    config.decoder.vocab_size = before;
    throw error;
  }
  const values = new Map<string, Tensor>();
  for (const [name, { shape }] of declaredParameters(architecture)) {
    const resized = parameters.parameters.get(name)!.shape.join() !== shape.join();
    if (resized) values.set(name, resizeRows(await read(name), vocabularySize));
    else if (parameters.trained.has(name)) values.set(name, await read(name));
  }
  const find = (name: string) => {
    const value = values.get(name);
    return value ? weightFromTensor(value) : parameters.parameters.get(name);
  };
  const leftOver = () => parameters.leftOver;
  return {
    architecture,
    parameters: ModelParameters.gather(config, architecture, find, { fresh: "unused", leftOver }),
  };
}
