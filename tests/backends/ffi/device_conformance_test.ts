// The path that a GPU's provider takes, with the CPU's memory bound as a device's: nothing is seen by JavaScript, and all that is
// read, written or copied goes through sessions. In the second form buffers are handles, as WebGPU's are.
import { FfiBackend } from "../../../backends/ffi/backend.ts";
import { boundCpu, boundCpuByHandles, type Device } from "../../../backends/ffi/device/device.ts";
import { DeviceMemory } from "../../../backends/ffi/device/device_memory.ts";
import { findLibrary } from "../../../backends/ffi/library.ts";
import { Runtime } from "../../../backends/ffi/runtime.ts";
import { accuracies } from "../../conformance/accuracy.ts";
import { stateProofs } from "../../conformance/assigned_states.ts";
import { seamProofs } from "../../conformance/backend_contract.ts";
import { modelConformance } from "../../conformance/models.ts";
import { operatorConformance } from "../../conformance/operators.ts";
import { readsLines } from "../../conformance/printed_lines.ts";
import { rowLengthProofs } from "../../conformance/row_lengths.ts";
import { partProofs } from "../../conformance/tensor_parts.ts";
import { effort, isLong } from "../../effort.ts";

const { ceiling } = accuracies.ffi;
const families = ["donut_swin_mbart", "vit_gpt2_captioning"];

/** The ffi backend with its tensors on a device. */
async function loadOn(device: Device): Promise<FfiBackend> {
  const runtime = Runtime.open(await findLibrary({}), {});
  await runtime.ready;
  return new FfiBackend(runtime, device.name, undefined, undefined, new DeviceMemory(runtime, device));
}

const load = () => loadOn(boundCpu);
operatorConformance("ffi on a device", load, accuracies.ffi, isLong ? undefined : ["extra"]);
seamProofs("ffi on a device", load, ceiling);
stateProofs("ffi on a device", load, ceiling);
partProofs("ffi on a device", load);
rowLengthProofs("ffi on a device", load, ceiling);
modelConformance("ffi on a device", load, 1e-4, { rows: effort(2, 8), models: isLong ? undefined : families });
readsLines("ffi on a device", load, effort(6, 120));

const loadByHandles = () => loadOn(boundCpuByHandles);
stateProofs("ffi on a device of handles", loadByHandles, ceiling);
modelConformance("ffi on a device of handles", loadByHandles, 1e-4, { rows: 2, models: families });
