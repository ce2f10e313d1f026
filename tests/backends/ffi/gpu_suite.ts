// What needs a GPU: `deno task test:gpu`, with LIMNER_ORT_LIBRARY naming a libonnxruntime that has the provider. Each device of ONNX
// Runtime's that this machine has is held against what the CPU is; of each that it has not, the suite says why.
import { load } from "../../../backends/ffi/mod.ts";
import { BackendError } from "../../../src/errors/mod.ts";
import type { DeviceName } from "../../../src/graph/mod.ts";
import { accuracies } from "../../conformance/accuracy.ts";
import { stateProofs } from "../../conformance/assigned_states.ts";
import { seamProofs } from "../../conformance/backend_contract.ts";
import { modelConformance } from "../../conformance/models.ts";
import { operatorConformance } from "../../conformance/operators.ts";
import { readsLines } from "../../conformance/printed_lines.ts";

const devices = (Deno.env.get("LIMNER_TEST_DEVICES") ?? "cuda,webgpu").split(",") as DeviceName[];

/** Why a device does not run; undefined where it does. */
async function whyNot(device: DeviceName): Promise<string | undefined> {
  try {
    await using _ = await load({ device });
  } catch (error) {
    if (error instanceof BackendError) return error.message;
    throw error;
  }
}

for (const device of devices) {
  const reason = await whyNot(device);
  if (reason !== undefined) {
    Deno.test({ name: `${device} is not tested: ${reason}`, ignore: true, fn() {} });
    continue;
  }
  const loadDevice = () => load({ device });
  const name = `ffi on ${device}`;
  // A GPU's float32 is what WebGPU's backend is held to.
  const { webgpu } = accuracies;
  operatorConformance(name, loadDevice, webgpu);
  seamProofs(name, loadDevice, webgpu.ceiling);
  stateProofs(name, loadDevice, webgpu.ceiling);
  modelConformance(name, loadDevice, 2e-4, { rows: 8 });
  readsLines(name, loadDevice, 120);
}
