import { load } from "../../../backends/ffi/mod.ts";
import { accuracies } from "../../conformance/accuracy.ts";
import { edgeConformance } from "../../conformance/edge_cases.ts";
import { readsLines } from "../../conformance/printed_lines.ts";
import { modelConformance } from "../../conformance/models.ts";
import { operatorConformance } from "../../conformance/operators.ts";
import { partProofs } from "../../conformance/tensor_parts.ts";
import { drawProofs } from "../../conformance/random_draws.ts";
import { seamProofs } from "../../conformance/backend_contract.ts";
import { stateProofs } from "../../conformance/assigned_states.ts";

operatorConformance("ffi", load, accuracies.ffi);
edgeConformance("ffi", load);
seamProofs("ffi", load, accuracies.ffi.ceiling);
stateProofs("ffi", load, accuracies.ffi.ceiling);
partProofs("ffi", load);
drawProofs("ffi", load);
modelConformance("ffi", load, 1e-4);
readsLines("ffi", load, 120);
