// The backends that tests run on here. `deno task test` says so, in one line, where it found one missing.
import type { BackendName } from "../../src/graph/mod.ts";

const without = Deno.env.get("LIMNER_TESTS_WITHOUT")?.split(",") ?? [];

/** The backends that tests run on: all of them, but for those the test command reported as missing. */
export const testedBackends: readonly BackendName[] = (["ffi", "webgpu", "reference"] as const)
  .filter((name) => !without.includes(name));
