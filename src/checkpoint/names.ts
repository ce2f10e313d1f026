// Parameter names as files spell them, and as models ask for them.

/** TensorFlow's names of the layer normalisation's parameters, which old BERT checkpoints still carry. */
const renamed: readonly (readonly [from: RegExp, to: string])[] = [
  [/(?<=^|\.)LayerNorm\.gamma$/, "LayerNorm.weight"],
  [/(?<=^|\.)LayerNorm\.beta$/, "LayerNorm.bias"],
];

/**
 * The name under which models know a parameter of a checkpoint file.
 *
 * @param name The name in the file, for example `bert.embeddings.LayerNorm.gamma`.
 * @returns The name with `LayerNorm.gamma` and `LayerNorm.beta` replaced by `LayerNorm.weight` and `LayerNorm.bias`,
 * as Transformers' `_fix_state_dict_key_on_load` does.
 */
export function parameterName(name: string): string {
  return renamed.reduce((renamed, [from, to]) => renamed.replace(from, to), name);
}
