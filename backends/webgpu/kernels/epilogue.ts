// What a matrix product does with its results before it writes them: bias, activation, residual.
import type { Dimension } from "../../../src/graph/mod.ts";
import type { Activation } from "../../../src/operators/mod.ts";
import type { View } from "../program/view.ts";
import { declareActivation, type FloatType } from "./activations.ts";
import type { Shader } from "./shader.ts";

/** Applied to results y [..., N]: activation(y + bias) + residual. */
export interface Epilogue {
  /** Shape [N]. */
  readonly bias?: View;
  readonly activation?: Activation;
  /** Of y's shape, contiguous. */
  readonly residual?: View;
}

/**
 * Declare `finish(value, at, n)`, which completes the result at place `at` of the output and column `n` of the bias.
 *
 * @param type With "vec4f", `at` and `n` count vectors of four numbers.
 */
export function declareEpilogue(shader: Shader, { bias, activation, residual }: Epilogue, type: FloatType): void {
  const fours = type === "vec4f" ? 4 : 1;
  const load = (view: View, at: string): string => {
    const { offset } = view;
    const from = offset === 0 ? "" : ` + ${shader.parameter(offset)}${fours === 4 ? " / 4u" : ""}`;
    return `${shader.read(view.storage, type)}[${at}${from}]`;
  };
  let value = "value";
  if (bias) value = `(${value} + ${load(bias, "n")})`;
  if (activation) value = `${declareActivation(shader, activation, type)}(${value})`;
  if (residual) value = `${value} + ${load(residual, "at")}`;
  shader.declare(`fn finish(value: ${type}, at: u32, n: u32) -> ${type} { return ${value}; }`);
}

/** Whether an epilogue's operands can be read as vectors of four. */
export function readsOperandsAsVec4(
  { bias, residual }: Epilogue,
  isMultiple: (d: Dimension, n: number) => boolean,
): boolean {
  return [bias, residual].every((view) => !view || isMultiple(view.offset, 4));
}
