import { load } from "../../../backends/ffi/mod.ts";
import { edgeConformance } from "../../conformance/edges.ts";
import { readsLines } from "../../conformance/lines.ts";
import { modelConformance } from "../../conformance/models.ts";
import { operatorConformance } from "../../conformance/operators.ts";
import { partProofs } from "../../conformance/parts.ts";
import { seamProofs } from "../../conformance/seam.ts";
import { stateProofs } from "../../conformance/states.ts";

operatorConformance("ffi", load, 1e-5);
edgeConformance("ffi", load);
seamProofs("ffi", load, 1e-5);
stateProofs("ffi", load, 1e-5);
partProofs("ffi", load);
modelConformance("ffi", load, 1e-4);
readsLines("ffi", load, 120);
