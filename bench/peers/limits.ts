// What figures are held against in the same run: the memory's read bandwidth, and PyTorch where python3 has it.
import type { OperatorBench } from "../operators.ts";

/** The bytes that are read each time: more than a cache holds. */
const compared = 256 << 20;

/** The C library, whose memcmp reads as fast as vectors can be loaded. */
const libraries: Readonly<Record<string, string>> = {
  linux: "libc.so.6",
  darwin: "libSystem.B.dylib",
  windows: "msvcrt.dll",
};

/**
 * How fast memory can be read by all processors at once, as a product with weights reads them; one alone has half as much.
 *
 * @returns GB/s: the best of some comparisons of equal buffers, a pair for each processor.
 */
export async function readBandwidth(): Promise<number> {
  const library = Deno.dlopen(libraries[Deno.build.os], {
    memcmp: { parameters: ["buffer", "buffer", "usize"], result: "i32", nonblocking: true },
  });
  const processors = navigator.hardwareConcurrency;
  const each = Math.floor(compared / processors / 2);
  const pairs = Array.from({ length: processors }, () => [0, 1].map(() => new Uint8Array(each).fill(1)));
  let best = 0;
  for (let i = 0; i < 8; i++) {
    const began = performance.now();
    await Promise.all(pairs.map(([a, b]) => library.symbols.memcmp(a, b, BigInt(each))));
    best = Math.max(best, 2 * each * processors / (performance.now() - began) / 1e6);
  }
  library.close();
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
