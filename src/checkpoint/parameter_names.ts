// The names of parameters in files, and the names by which models ask for them.

/** TensorFlow's names of layer normalisation's parameters, which old BERT checkpoints have, and PyTorch's wrappers. */
const renamed: readonly (readonly [from: RegExp, to: string])[] = [
  [/(?<=^|\.)LayerNorm\.gamma$/, "LayerNorm.weight"],
  [/(?<=^|\.)LayerNorm\.beta$/, "LayerNorm.bias"],
  // A module that is compiled, sharded or checkpointed is one level deeper, wherever it is in the model.
  [/(?<=^|\.)(?:(?:_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\.)+/g, ""],
  [/(?<=\.)module\./g, ""],
];

/**
 * The name under which models know a parameter of a checkpoint file.
 *
 * @param name The name in the file, for example `bert.embeddings.LayerNorm.gamma`.
 * @returns The name with `LayerNorm.gamma` and `LayerNorm.beta` replaced by `LayerNorm.weight` and `LayerNorm.bias`,
 * as Transformers' `_fix_state_dict_key_on_load` does, and without the levels that torch.compile, data parallelism and
 * activation checkpointing add.
 */
export function parameterName(name: string): string {
  return renamed.reduce((renamed, [from, to]) => renamed.replace(from, to), name);
}
