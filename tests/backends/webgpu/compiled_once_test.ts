// Kernels are compiled once: on an adapter in software each compiled one is a piece of executable memory of its own, so that there
// are no more of them after many generations than after some, whatever tile products have.
import { assert } from "@std/assert";
import { WebGpuBackend } from "../../../backends/webgpu/backend.ts";
import { findAdapter, isSoftware, openDevice } from "../../../backends/webgpu/device/adapter.ts";
import { profiles } from "../../../backends/webgpu/device/profile.ts";
import { texelMatmulCandidates } from "../../../backends/webgpu/tuning/candidates.ts";
import { VisionEncoderDecoderModel } from "../../../mod.ts";
import { readTensors } from "../../conformance/read_golden.ts";

const folder = new URL("../../fixtures/models/vit_gpt2_captioning/", import.meta.url);
const { soft } = profiles;

/** The pieces of executable memory that belong to no file. */
function executablePieces(): number {
  const lines = Deno.readTextFileSync("/proc/self/maps").split("\n");
  return lines.filter((line) => /^[0-9a-f-]+ r-xp 0+ 00:00 0\s*$/.test(line)).length;
}

const adapter = await findAdapter();
const ignore = Deno.build.os !== "linux" || !adapter || !isSoftware(adapter);

for (const matmul of texelMatmulCandidates) {
  const { rows, vectors } = matmul;
  Deno.test({
    name:
      `webgpu compiles kernels once on a software adapter on Linux, with tiles of ${rows} rows of ${vectors} vectors`,
    ignore,
    fn: async () => {
      const wanted = { ...soft, texels: { ...soft.texels!, matmul } };
      const { device, profile } = await openDevice((await findAdapter())!, wanted);
      await using backend = new WebGpuBackend(device, profile, "software");
      await using model = await VisionEncoderDecoderModel.fromPretrained(folder, { backend });
      const pixels = (await readTensors(new URL("golden.safetensors", folder))).get("pixel_values")!;
      const generate = async () => {
        for (const numBeams of [1, 3]) await model.generate(pixels, { maxNewTokens: 8, numBeams, eosTokenId: null });
      };
      await generate();
      await generate();
      const before = executablePieces();
      for (let i = 0; i < 4; i++) await generate();
      // V8 may have compiled something too.
      const more = executablePieces() - before;
      assert(more < 8, `${more} more pieces of executable memory`);
    },
  });
}
