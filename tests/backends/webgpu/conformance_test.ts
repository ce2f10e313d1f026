import { load, report } from "../../../backends/webgpu/mod.ts";
import { accuracies } from "../../conformance/accuracy.ts";
import { edgeConformance } from "../../conformance/edge_cases.ts";
import { readsLines } from "../../conformance/printed_lines.ts";
import { modelConformance } from "../../conformance/models.ts";
import { operatorConformance } from "../../conformance/operators.ts";
import { partProofs } from "../../conformance/tensor_parts.ts";
import { drawProofs } from "../../conformance/random_draws.ts";
import { seamProofs } from "../../conformance/backend_contract.ts";
import { stateProofs } from "../../conformance/assigned_states.ts";

operatorConformance("webgpu", load, accuracies.webgpu);
edgeConformance("webgpu", load, async () => !(await report()).software);
seamProofs("webgpu", load, accuracies.webgpu.ceiling);
stateProofs("webgpu", load, accuracies.webgpu.ceiling);
partProofs("webgpu", load);
drawProofs("webgpu", load);
modelConformance("webgpu", load, 2e-4);
readsLines("webgpu", load, 120);
