// A whole captioner of usual size, ViT-B/16 with GPT-2 (239 M parameters, random): `deno run -A bench/model_bench.ts
// [BACKEND]`. Where python3 has torch and transformers, their times in the same run stand beside. It needs 1 GB of disk.
import {
  type BackendName,
  defaultConfig,
  Tensor,
  type Timings,
  VisionEncoderDecoderConfig,
  VisionEncoderDecoderModel,
} from "../mod.ts";

const backend = (Deno.args[0] ?? "ffi") as BackendName;
const newTokens = 16;
const rounds = 5;

const python = `
import json, statistics, sys, time
import torch
from transformers import VisionEncoderDecoderModel
folder, tokens, rounds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
def load():
    return VisionEncoderDecoderModel.from_pretrained(folder).eval()
def best(work):
    times = []
    for _ in range(rounds):
        began = time.perf_counter(); work(); times.append((time.perf_counter() - began) * 1000)
    return min(times)
pixels = torch.ones(1, 3, 224, 224)
with torch.inference_mode():
    write = lambda count, model: model.generate(pixels, max_new_tokens=count, min_new_tokens=count, do_sample=False, num_beams=1)
    first = best(lambda: write(tokens, load()))
    model = load()
    write(2, model)
    encoding = best(lambda: model.encoder(pixels))
    whole = best(lambda: write(tokens, model))
    one = best(lambda: write(1, model))
print(json.dumps([first, encoding, (whole - one) / (tokens - 1), whole]))
`;

/** Load the model and write with it: milliseconds until the first caption, of encoding, a token, and a later caption. */
async function measure(folder: string): Promise<number[]> {
  const least = [Infinity, Infinity, Infinity, Infinity];
  const pixelValues = new Tensor("float32", [1, 3, 224, 224], new Float32Array(3 * 224 * 224).fill(1));
  const enter = (times: number[]) => times.forEach((time, i) => least[i] = Math.min(least[i], time));
  for (let round = 0; round < rounds; round++) {
    const loading = performance.now();
    await using model = await VisionEncoderDecoderModel.fromPretrained(folder, { backend });
    const write = (onTimings?: (timings: Timings) => void) =>
      model.generate(pixelValues, { maxNewTokens: newTokens, minNewTokens: newTokens, onTimings });
    await write();
    enter([performance.now() - loading]);
    const began = performance.now();
    await write();
    enter([Infinity, Infinity, Infinity, performance.now() - began]);
    await write(({ encode, decode }) => enter([Infinity, encode, decode / newTokens]));
  }
  return least;
}

const folder = await Deno.makeTempDir();
try {
  {
    const tokens = { bos_token_id: 0, eos_token_id: 1, pad_token_id: 1 };
    const config = VisionEncoderDecoderConfig.fromEncoderDecoderConfigs(
      defaultConfig("vit"),
      defaultConfig("gpt2", tokens),
      { decoder_start_token_id: 0, pad_token_id: 1, eos_token_id: 1 },
    );
    await using model = await VisionEncoderDecoderModel.fromConfig(config, { backend: "reference" });
    await model.savePretrained(folder);
  }
  const ours = await measure(folder);
  const command = new Deno.Command("python3", {
    args: ["-c", python, folder, String(newTokens), String(rounds)],
    stderr: "null",
  });
  const output = await command.output().catch(() => undefined);
  const theirs: number[] = output?.success ? JSON.parse(new TextDecoder().decode(output.stdout)) : [];
  console.log(
    `${"case".padEnd(30)}${`${backend}, ms`.padStart(14)}${"PyTorch, ms".padStart(14)}${"ratio".padStart(8)}`,
  );
  ["load_and_first_caption", "encode_vit_b1", "token_gpt2_b1", `caption_${newTokens}_tokens_b1`].forEach((name, i) => {
    const [peer, ratio] = theirs[i] ? [theirs[i].toFixed(1), (ours[i] / theirs[i]).toFixed(2)] : ["-", "-"];
    console.log(`${name.padEnd(30)}${ours[i].toFixed(1).padStart(14)}${peer.padStart(14)}${ratio.padStart(8)}`);
  });
} finally {
  await Deno.remove(folder, { recursive: true });
}
