import { load } from "../../../backends/ffi/mod.ts";
import { edgeConformance } from "../../conformance/edge_cases.ts";
import { readsLines } from "../../conformance/printed_lines.ts";
import { modelConformance } from "../../conformance/models.ts";
import { operatorConformance } from "../../conformance/operators.ts";
import { partProofs } from "../../conformance/tensor_parts.ts";
import { seamProofs } from "../../conformance/backend_contract.ts";
import { stateProofs } from "../../conformance/assigned_states.ts";

// ONNX Runtime's sigmoid is a quotient of polynomials: it was found to be off by 1.66e-7, whatever the result.
operatorConformance("ffi", load, { ceiling: 1e-5, grants: { sigmoid: 2e-7 } });
edgeConformance("ffi", load);
seamProofs("ffi", load, 1e-5);
stateProofs("ffi", load, 1e-5);
partProofs("ffi", load);
modelConformance("ffi", load, 1e-4);
readsLines("ffi", load, 120);
