// How long a new model takes: `deno run -A bench/initialization_bench.ts [BACKEND...]` (default ffi). ViT with BERT at their
// defaults, 224 million parameters, each time in a process of its own; where `python3` (or $PYTHON) has transformers, its
// time in the same run stands beside. To reach on ffi: 1.5 times Python's.
import { type BackendName, defaultConfig, VisionEncoderDecoderConfig, VisionEncoderDecoderModel } from "../mod.ts";

const rounds = 5;

const python = `
import time, transformers as t
config = t.VisionEncoderDecoderConfig.from_encoder_decoder_configs(t.ViTConfig(), t.BertConfig())
start = time.perf_counter()
t.VisionEncoderDecoderModel(config)
print(time.perf_counter() - start)
`;

/** What a child does: make one model and print the seconds. */
async function measure(backend: BackendName): Promise<void> {
  const config = VisionEncoderDecoderConfig.fromEncoderDecoderConfigs(defaultConfig("vit"), defaultConfig("bert"));
  const start = performance.now();
  await using _model = await VisionEncoderDecoderModel.fromConfig(config, { backend });
  console.log((performance.now() - start) / 1000);
}

/** The seconds that a command prints; undefined where it cannot run. */
async function run(command: string, args: string[]): Promise<number | undefined> {
  const output = await new Deno.Command(command, { args, stderr: "null" }).output().catch(() => undefined);
  return output?.success ? Number(new TextDecoder().decode(output.stdout)) : undefined;
}

async function main(backends: readonly string[]): Promise<void> {
  const commands = new Map<string, () => Promise<number | undefined>>(backends.map((name) => [
    name,
    () => run(Deno.execPath(), ["run", "-A", new URL(import.meta.url).pathname, "--child", name]),
  ]));
  commands.set("Python", () => run(Deno.env.get("PYTHON") ?? "python3", ["-c", python]));
  const times = new Map([...commands.keys()].map((name) => [name, [] as number[]]));
  // By turns, so that whatever else the machine does falls on all.
  for (let i = 0; i < rounds; i++) {
    for (const [name, time] of commands) times.get(name)!.push(await time() ?? NaN);
  }
  const median = (name: string) => times.get(name)!.toSorted((a, b) => a - b)[Math.floor(rounds / 2)];
  for (const name of commands.keys()) {
    const ratio = median(name) / median("Python");
    const beside = name === "Python" || Number.isNaN(ratio) ? "" : `, ${ratio.toFixed(2)} times Python's`;
    console.log(
      `${name}: ${median(name).toFixed(2)} s (${times.get(name)!.map((s) => s.toFixed(2)).join(", ")})${beside}`,
    );
  }
}

if (Deno.args[0] === "--child") await measure(Deno.args[1] as BackendName);
else await main(Deno.args.length > 0 ? Deno.args : ["ffi"]);
