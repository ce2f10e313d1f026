import { load } from "../../../backends/reference/mod.ts";
import { edgeConformance } from "../../conformance/edges.ts";
import { readsLines } from "../../conformance/lines.ts";
import { modelConformance } from "../../conformance/models.ts";
import { operatorConformance } from "../../conformance/operators.ts";
import { partProofs } from "../../conformance/parts.ts";
import { seamProofs } from "../../conformance/seam.ts";
import { stateProofs } from "../../conformance/states.ts";

operatorConformance("reference", load, 1e-5);
edgeConformance("reference", load);
seamProofs("reference", load, 1e-5);
stateProofs("reference", load, 1e-5);
partProofs("reference", load);
modelConformance("reference", load, 1e-4, { rows: 3 });
readsLines("reference", load, 20);
