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

/** An epilogue's expressions; with "vec4f", `at` and `n` count vectors of four numbers. */
export interface EpilogueCode {
  /** The bias of column `n`. */
  readonly bias: (n: string) => string;
  /** The completed result at place `at` of the output, of whose column `bias` is the bias. */
  readonly complete: (value: string, bias: string, at: string) => string;
}

/** Bind what an epilogue reads. */
export function epilogueCode(
  shader: Shader,
  { bias, activation, residual }: Epilogue,
  type: FloatType,
): EpilogueCode {
  const load = (view: View): (at: string) => string => {
    const { offset } = view;
    const from = offset === 0 ? "" : ` + ${shader.parameter(offset)}${type === "vec4f" ? " / 4u" : ""}`;
    const source = shader.read(view.storage, type);
    return (at) => source(`${at}${from}`);
  };
  const own = bias && load(bias);
  const act = activation && declareActivation(shader, activation, type);
  const other = residual && load(residual);
  return {
    bias: (n) => own?.(n) ?? `${type}()`,
    complete: (value, bias, at) => {
      const sum = own ? `(${value} + ${bias})` : value;
      return `${act ? `${act}(${sum})` : sum}${other ? ` + ${other(at)}` : ""}`;
    },
  };
}

/**
 * Declare `finish(value, at, n)`, which completes the result at place `at` of the output and column `n` of the bias.
 *
 * @param type With "vec4f", `at` and `n` count vectors of four numbers.
 */
export function declareEpilogue(shader: Shader, epilogue: Epilogue, type: FloatType): void {
  const { bias, complete } = epilogueCode(shader, epilogue, type);
  shader.declare(
    `fn finish(value: ${type}, at: u32, n: u32) -> ${type} { return ${complete("value", bias("n"), "at")}; }`,
  );
}

/** Whether an epilogue's operands can be read as vectors of four. */
export function readsOperandsAsVec4(
  { bias, residual }: Epilogue,
  isMultiple: (d: Dimension, n: number) => boolean,
): boolean {
  return [bias, residual].every((view) => !view || isMultiple(view.offset, 4));
}
