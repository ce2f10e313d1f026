import { load } from "../../../backends/reference/mod.ts";
import { accuracies } from "../../conformance/accuracy.ts";
import { edgeConformance } from "../../conformance/edge_cases.ts";
import { readsLines } from "../../conformance/printed_lines.ts";
import { modelConformance } from "../../conformance/models.ts";
import { operatorConformance } from "../../conformance/operators.ts";
import { partProofs } from "../../conformance/tensor_parts.ts";
import { drawProofs } from "../../conformance/random_draws.ts";
import { seamProofs } from "../../conformance/backend_contract.ts";
import { stateProofs } from "../../conformance/assigned_states.ts";

operatorConformance("reference", load, accuracies.reference);
edgeConformance("reference", load);
seamProofs("reference", load, accuracies.reference.ceiling);
stateProofs("reference", load, accuracies.reference.ceiling);
partProofs("reference", load);
drawProofs("reference", load);
modelConformance("reference", load, 1e-4, { rows: 3 });
readsLines("reference", load, 20);
