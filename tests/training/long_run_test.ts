// Long runs: nothing is left behind by steps, and a process that is killed goes on where it was.
import { assert, assertEquals } from "@std/assert";
import type { BackendName } from "../../mod.ts";
import { deno } from "../cli/command_process.ts";
import { effort } from "../effort.ts";
import { costFlags, readsMemory } from "../process_cost.ts";

for (const backend of ["ffi", "reference", "webgpu"] as BackendName[]) {
  Deno.test(`steps leave nothing behind, on ${backend}`, async () => {
    // In a process of its own: the others' memory would show. As for generations, garbage is collected before memory is looked at.
    const { code, stdout, stderr } = await deno([
      ...[costFlags, "--v8-flags=--expose-gc,--max-semi-space-size=2"],
      ...[new URL("steps_memory.ts", import.meta.url).href, backend, String(effort(90, 300))],
    ]);
    assertEquals(code, 0, stderr);
    const [early, late] = JSON.parse(stdout);
    assertEquals(late.counted, early.counted);
    // What the reference backend holds is JavaScript's, whose collector decides when to give it back.
    if (backend === "reference" || !readsMemory) return;
    assert(late.own < early.own + 10e6, `${late.own / 1e6} MB at the end, ${early.own / 1e6} MB after a third`);
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
