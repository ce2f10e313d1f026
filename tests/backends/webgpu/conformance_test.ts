import { load, report } from "../../../backends/webgpu/mod.ts";
import { edgeConformance } from "../../conformance/edges.ts";
import { readsLines } from "../../conformance/lines.ts";
import { modelConformance } from "../../conformance/models.ts";
import { operatorConformance } from "../../conformance/operators.ts";
import { partProofs } from "../../conformance/parts.ts";
import { seamProofs } from "../../conformance/seam.ts";
import { stateProofs } from "../../conformance/states.ts";

operatorConformance("webgpu", load, 2e-4);
edgeConformance("webgpu", load, async () => !(await report()).software);
seamProofs("webgpu", load, 2e-4);
stateProofs("webgpu", load, 2e-4);
partProofs("webgpu", load);
modelConformance("webgpu", load, 2e-4);
readsLines("webgpu", load, 120);
