// The WebGPU backend's kernels by profile: `deno run -A bench/webgpu_profiles.ts [PROFILE...]`. On one device it shows what
// the shapes made for another kind of device cost there.
import { loadWithProfile, type ProfileName } from "../backends/webgpu/mod.ts";
import { operatorBenches, timeOperator } from "./operators.ts";

const all: ProfileName[] = ["soft", "soft-nosg", "gpu", "gpu-sg"];
const asked = all.filter((name) => Deno.args.length === 0 || Deno.args.includes(name));
for (const profile of asked) {
  await using backend = await loadWithProfile(profile);
  console.log(`${profile} on ${backend.device}`);
  for (const bench of operatorBenches) {
    console.log(`  ${bench.name.padEnd(40)} ${(await timeOperator(backend, bench)).toPrecision(3)} ${bench.unit}`);
  }
}
