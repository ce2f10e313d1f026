// The steps of a program: what a plan consists of.
import type { Dispatch } from "../kernels/shader.ts";
import type { Resolve } from "./view.ts";

/** One way of doing a step. */
export interface Variant {
  /** Whether it is for the sizes that a program is bound for. @default for all */
  readonly when?: (resolve: Resolve) => boolean;
  /** Undefined where there is nothing to do, or another step does this one's work. */
  readonly dispatch?: Dispatch;
}

/** One step of a program: of its variants the first is used whose condition holds. */
export type Step = readonly Variant[];

/** The dispatches of steps for some sizes. */
export function chosen(steps: readonly Step[], resolve: Resolve): Dispatch[] {
  return steps.map((step) => step.find(({ when }) => !when || when(resolve))!.dispatch)
    .filter((dispatch) => dispatch !== undefined);
}
