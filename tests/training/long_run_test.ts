// Long runs: nothing is left behind by steps, and a process that is killed goes on where it was.
import { assert, assertEquals } from "@std/assert";
import { type BackendName, readCheckpoint, Trainer, VisionEncoderDecoderModel } from "../../mod.ts";
import { effort } from "../effort.ts";

const source = "tests/fixtures/training/vit_gpt2_adamw";

/** The process's memory that is in no file, in bytes. */
function residentBytes(): number {
  const [, kilobytes] = /RssAnon:\s+(\d+)/.exec(Deno.readTextFileSync("/proc/self/status"))!;
  return Number(kilobytes) * 1024;
}

const median = (values: number[]) => values.toSorted((a, b) => a - b)[values.length >> 1];

for (const backend of ["ffi", "reference", "webgpu"] as BackendName[]) {
  Deno.test(`steps leave nothing behind, on ${backend}`, async () => {
    const given = await readCheckpoint(`${source}/golden.safetensors`);
    const batch = { pixelValues: given.get("pixel_values")!, labels: given.get("labels")! };
    await using model = await VisionEncoderDecoderModel.fromPretrained(source, { backend });
    await using trainer = await Trainer.create(model, { learningRate: 1e-4 });
    const { counters } = model.backend;
    const steps = effort(90, 300);
    const resident: number[] = [];
    let after30: [number, number] | undefined;
    for (let step = 0; step < steps; step++) {
      await trainer.step(batch);
      resident.push(residentBytes());
      if (step === 29) after30 = [counters.liveHandles, counters.deviceBytes];
    }
    assertEquals([counters.liveHandles, counters.deviceBytes], after30);
    // What the reference backend holds is JavaScript's, whose collector decides when to give it back.
    if (backend === "reference") return;
    const [before, last] = [median(resident.slice(30, 60)), median(resident.slice(-30))];
    assert(last <= 1.05 * before + 10e6, `${last / 1e6} MB at the end, ${before / 1e6} MB before`);
  });
}

/** Run the script until it ends, or kill it. @returns What it printed last, if it ended. */
async function train(folder: string, steps: number, killAfter?: number): Promise<string | undefined> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", "tests/training/killed_training.ts", folder, String(steps)],
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const timer = killAfter === undefined ? undefined : setTimeout(() => {
    try {
      child.kill("SIGKILL");
    } catch { /* it has ended */ }
  }, killAfter);
  const { stdout, code } = await child.output();
  clearTimeout(timer);
  return code === 0 ? new TextDecoder().decode(stdout).trim().split("\n").at(-1) : undefined;
}

Deno.test("a run that is killed at random moments ends as one that was not", async () => {
  const [whole, killed] = [await Deno.makeTempDir(), await Deno.makeTempDir()];
  try {
    const steps = effort(12, 60);
    const began = performance.now();
    const expected = await train(whole, steps);
    const duration = performance.now() - began;
    assert(expected?.startsWith("digest "));
    for (let kills = 0; kills < effort(3, 20); kills++) {
      await train(killed, steps, duration * (0.15 + 0.5 * Math.random()));
    }
    assertEquals(await train(killed, steps), expected);
  } finally {
    for (const folder of [whole, killed]) await Deno.remove(folder, { recursive: true });
  }
});
