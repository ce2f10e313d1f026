// The WebGPU backend's kernels by profile: `deno run -A bench/webgpu_profiles.ts [PROFILE...] [float16] [q8] [q4]`. On one
// device it shows what the shapes made for another kind of device cost there; named storages are timed too, where there are
// weights.
import { loadWithProfile, type ProfileName } from "../backends/webgpu/mod.ts";
import { operatorBenches, timeOperator } from "./operators.ts";

const all: ProfileName[] = ["soft", "soft-nosg", "gpu", "gpu-sg"];
const named = all.filter((name) => Deno.args.includes(name));
const storages = (["float16", "q8", "q4"] as const).filter((name) => Deno.args.includes(name));
const asked = named.length > 0 ? named : all;
for (const profile of asked) {
  await using backend = await loadWithProfile(profile);
  console.log(`${profile} on ${backend.device}`);
  for (const bench of operatorBenches) {
    const own = "weight" in bench.inputs ? storages : [];
    for (const storage of ["float32", ...own] as const) {
      const rate = (await timeOperator(backend, bench, storage)).toPrecision(3);
      console.log(`  ${`${bench.name} ${storage}`.padEnd(48)} ${rate} ${bench.unit}`);
    }
  }
}
