// What figures are held against in the same run: the memory's read bandwidth, and PyTorch where python3 has it.
import { Buffer } from "node:buffer";
import type { OperatorBench } from "../operators.ts";

/** The bytes of each of the two buffers that are compared: more than a cache holds. */
const compared = 128 << 20;

/** @returns How fast this process reads memory, GB/s: the best of some comparisons of two equal buffers. */
export function readBandwidth(): number {
  const [a, b] = [Buffer.alloc(compared, 1), Buffer.alloc(compared, 1)];
  let best = 0;
  for (let i = 0; i < 5; i++) {
    const began = performance.now();
    Buffer.compare(a, b);
    best = Math.max(best, 2 * compared / (performance.now() - began) / 1e6);
  }
  return best;
}

const python = `
import json, sys, time
import torch, torch.nn.functional as F
rates = []
with torch.inference_mode():
    for case in json.loads(sys.argv[1]):
        tensors = {name: torch.rand(shape) - 0.5 for name, shape in case["inputs"].items()}
        code = compile(case["torch"], "case", "eval")
        work = lambda: eval(code, {"F": F, **tensors})
        work()
        best, until = float("inf"), time.perf_counter() + 0.5
        while time.perf_counter() < until:
            began = time.perf_counter()
            for _ in range(4): work()
            best = min(best, (time.perf_counter() - began) / 4)
        rates.append(case["work"] / best / 1e9)
print(json.dumps(rates))
`;

/** @returns PyTorch's rate in each case, in the case's unit; nothing where python3 has no torch. */
export async function torchRates(benches: readonly OperatorBench[]): Promise<number[]> {
  const cases = JSON.stringify(benches.map(({ inputs, torch, work }) => ({ inputs, torch, work })));
  const command = new Deno.Command("python3", { args: ["-c", python, cases], stderr: "null" });
  const output = await command.output().catch(() => undefined);
  return output?.success ? JSON.parse(new TextDecoder().decode(output.stdout)) : [];
}
