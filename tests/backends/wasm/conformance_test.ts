// ONNX Runtime in WebAssembly, on the protocol that ffi is on, is held against what ffi is: a part in every run, since its code is
// compiled anew for each test, and all of it in the long form.
import { load } from "../../../backends/wasm/mod.ts";
import { accuracies } from "../../conformance/accuracy.ts";
import { edgeConformance } from "../../conformance/edge_cases.ts";
import { readsLines } from "../../conformance/printed_lines.ts";
import { modelConformance } from "../../conformance/models.ts";
import { operatorConformance } from "../../conformance/operators.ts";
import { partProofs } from "../../conformance/tensor_parts.ts";
import { drawProofs } from "../../conformance/random_draws.ts";
import { seamProofs } from "../../conformance/backend_contract.ts";
import { stateProofs } from "../../conformance/assigned_states.ts";
import { effort, isLong } from "../../effort.ts";

const { ceiling } = accuracies.wasm;
const families = ["donut_swin_mbart", "vit_bert", "vit_gpt2_captioning", "vit_trocr_base"];

operatorConformance("wasm", load, accuracies.wasm, isLong ? undefined : ["extra"]);
edgeConformance("wasm", load);
seamProofs("wasm", load, ceiling);
stateProofs("wasm", load, ceiling);
partProofs("wasm", load);
if (isLong) drawProofs("wasm", load);
modelConformance("wasm", load, 1e-4, { rows: effort(2, 8), models: isLong ? undefined : families });
readsLines("wasm", load, effort(6, 120));
