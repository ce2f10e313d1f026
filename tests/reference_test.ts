import { load } from "../backends/reference/mod.ts";
import { operatorConformance } from "./conformance/operators.ts";

operatorConformance("reference", load, 1e-5);
