// What is asked of each backend's numbers beside the bounds that bounds.ts derives.
import type { Grants } from "./oracle.ts";

/** What is asked of a backend's numbers. */
export interface Accuracy {
  /** What no bound exceeds, relative to the largest value of a result; see `assertWithin`. */
  readonly ceiling: number;
  /** What the backend is granted beyond its bounds. */
  readonly grants?: Grants;
  /** The least ceiling of cases whose operands are large and of which small differences count. @default that of the case */
  readonly roundedCeiling?: number;
}

/** The backends' accuracy by name. */
export const accuracies = {
  reference: { ceiling: 1e-5 },
  // ONNX Runtime's sigmoid is a quotient of polynomials: it was found to be off by 1.66e-7, whatever the result.
  ffi: { ceiling: 1e-5, grants: { sigmoid: 2e-7 } },
  // Built for WebAssembly, its normalisation of lines around 1000 with a spread of 1 was found to be off by 6.6e-5.
  wasm: { ceiling: 1e-5, grants: { sigmoid: 2e-7 }, roundedCeiling: 7e-5 },
  // WGSL grants a GPU less accuracy than CPUs have: tanh alone may be off by 1e-5.
  webgpu: { ceiling: 2e-4 },
} as const satisfies Readonly<Record<string, Accuracy>>;
