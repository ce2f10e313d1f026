// TemperatureLogitsWarper: scores are divided, so that a draw is bolder or more careful.
import type { Dimension, Value } from "../../graph/mod.ts";
import { div } from "../../operators/mod.ts";
import type { LogitsProcessor } from "./logits_processor.ts";

/** On the host. */
export function temperature(divisor: number): LogitsProcessor {
  return (_, scores) => {
    for (let id = 0; id < scores.length; id++) scores[id] /= divisor;
  };
}

/** In a program, on scores [rows, V]: input `temperature`, [1, 1] or each row's own [rows, 1], float32. */
export function divideByTemperature(scores: Value, of: Dimension = 1): Value {
  return div(scores, scores.builder.input("temperature", "float32", [of, 1]));
}
