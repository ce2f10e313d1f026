// How long a picture and a token take on the webgpu backend, with weights held as float32 and as float16, where a device with
// shader-f16 holds caches and what kernels leave for each other in 16 bits too.
import { defaultConfig, Tensor, VisionEncoderDecoderConfig, VisionEncoderDecoderModel } from "../../mod.ts";
import type { Backend } from "../../src/graph/mod.ts";
import { partsOf } from "../../src/model/vision_encoder_decoder_model.ts";

/** Two layers each of ViT-base and of GPT-2, of random parameters. */
const config = VisionEncoderDecoderConfig.fromEncoderDecoderConfigs(
  defaultConfig("vit", { num_hidden_layers: 2 }),
  defaultConfig("gpt2", { n_layer: 2 }),
  { decoder_start_token_id: 2, pad_token_id: 1, eos_token_id: 2 },
);

/** The tokens that are timed after the first. */
const tokens = 32;

/** What a kind of weights takes. */
export interface ModelSpeed {
  readonly dtype: "float32" | "float16";
  /** How keys and values wait on the device. */
  readonly cacheType: string;
  /** Milliseconds of the encoder and the first token, and of a further token. */
  readonly picture: number;
  readonly token: number;
  /** Bytes on the device that are not weights. */
  readonly bytes: number;
}

/** Time one kind of weights: the best of three, after a warm-up. */
export async function timeModel(backend: Backend, dtype: ModelSpeed["dtype"]): Promise<ModelSpeed> {
  await using model = await VisionEncoderDecoderModel.fromConfig(config, { backend, dtype, seed: 1 });
  const size = 224;
  const pixels = Float32Array.from({ length: 3 * size * size }, (_, i) => Math.sin(i * 0.01));
  const pictures = new Tensor("float32", [1, 3, size, size], pixels);
  const time = async (maxNewTokens: number): Promise<number> => {
    const once = async () => {
      const began = performance.now();
      await model.generate(pictures, { maxNewTokens, eosTokenId: null });
      return performance.now() - began;
    };
    await once();
    return Math.min(await once(), await once(), await once());
  };
  const picture = await time(1);
  const token = (await time(1 + tokens) - picture) / tokens;
  const { deviceBytes, weightBytes } = backend.counters;
  return { dtype, cacheType: partsOf(model).core.runner.cacheType, picture, token, bytes: deviceBytes - weightBytes };
}
