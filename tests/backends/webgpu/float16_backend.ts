// A backend whose weights are all held in float16, whatever is asked of it, so that the conformance suites run in float16.
import { loadWithProfile, type ProfileName } from "../../../backends/webgpu/mod.ts";
import type { Backend } from "../../../src/graph/mod.ts";

/**
 * Load webgpu with a profile's kernels, and open all weights with `dtype: "float16"`.
 *
 * @param without Features of WebGPU that are not asked for. @default none
 */
export async function loadInFloat16(profile: ProfileName, without: readonly string[] = []): Promise<Backend> {
  const backend = await loadWithProfile(profile, { without });
  return new Proxy(backend, {
    get(target, key) {
      if (key === "open") {
        const open: Backend["open"] = (source, options) => target.open(source, { ...options, storage: "float16" });
        return open;
      }
      const value = Reflect.get(target, key, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}
