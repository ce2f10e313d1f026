// The training loss.
import { OperandError, type Operator, type Value } from "../graph/mod.ts";
import { cast, div, equal, neg, sub, where } from "./elementwise.ts";
import { reshape } from "./movement.ts";
import { logSoftmax } from "./normalization.ts";
import { range, reduceSum } from "./reduction.ts";
import { checkIndices, floatType, sameShape } from "./shape_inference.ts";

const crossEntropyOperator: Operator<{ ignoreIndex?: number }> = {
  name: "crossEntropy",
  operands: ["logits", "labels"],
  infer: ([logits, labels]) => {
    checkIndices(labels);
    if (!sameShape(logits.shape.slice(0, -1), labels.shape)) {
      throw new OperandError("labels must have the shape of logits without its last axis");
    }
    return [{ dataType: floatType([logits]), shape: [] }];
  },
  decompose: ([logits, labels], { ignoreIndex = -100 }) => {
    const { builder, dataType } = logits;
    const zero = builder.scalar(0, dataType);
    const vocabulary = logits.shape[logits.rank - 1];
    const each = reshape(labels, { shape: [...labels.shape, 1] });
    const chosen = equal(each, range(builder, { size: vocabulary, dataType: labels.dataType }));
    const ignored = equal(labels, builder.scalar(ignoreIndex, labels.dataType));
    const axes = logits.shape.map((_, i) => i);
    const picked = where(chosen, logSoftmax(logits, { axis: -1 }), zero);
    const kept = where(reshape(ignored, { shape: [...labels.shape, 1] }), zero, picked);
    const count = sub(
      reduceSum(cast(equal(labels, labels), { dataType }), { axes: axes.slice(0, -1) }),
      reduceSum(cast(ignored, { dataType }), { axes: axes.slice(0, -1) }),
    );
    return [neg(div(reduceSum(kept, { axes }), count))];
  },
};

/** The composite loss. */
export const losses = { crossEntropy: crossEntropyOperator };

/**
 * The mean over labels other than `ignoreIndex` (default -100) of −log softmax(logits)[label]; NaN where there are none.
 *
 * @param logits Shape [..., V].
 * @param labels Shape [...], int64.
 * @returns A scalar.
 */
export function crossEntropy(logits: Value, labels: Value, attributes: { ignoreIndex?: number } = {}): Value {
  return logits.builder.add(losses.crossEntropy, [logits, labels], attributes)[0];
}
