// The training loss.
import { OperandError, type Operator, type Value } from "../graph/mod.ts";
import { cast, div, equal, mul, neg, sub, where } from "./elementwise.ts";
import { reshape } from "./movement.ts";
import { logSoftmax } from "./normalization.ts";
import { range, reduceSum } from "./reduction.ts";
import { checkIndices, floatType, sameShape } from "./shape_inference.ts";

/** The attributes of `crossEntropy`. */
export interface CrossEntropyAttributes {
  /** The label that is not counted. @default -100 */
  readonly ignoreIndex?: number;
  /** How much of a label's weight is spread evenly over the vocabulary. @default 0 */
  readonly labelSmoothing?: number;
}

const crossEntropyOperator: Operator<CrossEntropyAttributes> = {
  name: "crossEntropy",
  operands: ["logits", "labels"],
  infer: ([logits, labels]) => {
    checkIndices(labels);
    if (!sameShape(logits.shape.slice(0, -1), labels.shape)) {
      throw new OperandError("labels must have the shape of logits without its last axis");
    }
    return [{ dataType: floatType([logits]), shape: [] }];
  },
  decompose: ([logits, labels], { ignoreIndex = -100, labelSmoothing = 0 }) => {
    const { builder, dataType } = logits;
    const zero = builder.scalar(0, dataType);
    const vocabulary = logits.shape[logits.rank - 1];
    const each = reshape(labels, { shape: [...labels.shape, 1] });
    const chosen = equal(each, range(builder, { size: vocabulary, dataType: labels.dataType }));
    const ignored = equal(labels, builder.scalar(ignoreIndex, labels.dataType));
    const axes = logits.shape.map((_, i) => i);
    const logProbabilities = logSoftmax(logits, { axis: -1 });
    const spread = labelSmoothing === 0 ? 0 : labelSmoothing / (vocabulary as number);
    const picked = spread === 0 ? where(chosen, logProbabilities, zero) : mul(
      logProbabilities,
      where(chosen, builder.scalar(1 - labelSmoothing + spread, dataType), builder.scalar(spread, dataType)),
    );
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
 * With label smoothing the label's term is mixed with the mean over the vocabulary (torch.nn.functional.cross_entropy).
 *
 * @param logits Shape [..., V].
 * @param labels Shape [...], int64.
 * @returns A scalar.
 */
export function crossEntropy(logits: Value, labels: Value, attributes: CrossEntropyAttributes = {}): Value {
  return logits.builder.add(losses.crossEntropy, [logits, labels], attributes)[0];
}
