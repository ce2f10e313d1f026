import { load } from "../backends/reference/mod.ts";
import { operatorConformance } from "./conformance/operators.ts";
import { seamProofs } from "./conformance/seam.ts";

operatorConformance("reference", load, 1e-5);
seamProofs("reference", load, 1e-5);
