// What --verbose says of a model's files: what in them is not as a model expects.
import type { VisionEncoderDecoderModel } from "../model/vision_encoder_decoder_model.ts";

/**
 * Say what is remarkable about the files of a model.
 *
 * @returns Lines; none where every tensor was used under its own name.
 */
export function describeLoading(
  { unusedTensors, newlyInitialized, namePrefixes }: Pick<
    VisionEncoderDecoderModel,
    "unusedTensors" | "newlyInitialized" | "namePrefixes"
  >,
): string[] {
  return [
    ...namePrefixes.map((prefix) => `note: the tensors' names stand behind "${prefix}", which was left out`),
    ...(unusedTensors.length ? [`warning: the model does not use ${countOf(unusedTensors)} of its files`] : []),
    ...(newlyInitialized.length ? [`warning: the files lack ${countOf(newlyInitialized)}, which no text needs`] : []),
  ];
}

function countOf(names: readonly string[]): string {
  const shown = names.slice(0, 3).join(", ");
  const more = names.length > 3 ? ` and ${names.length - 3} more` : "";
  return `${names.length} ${names.length === 1 ? "tensor" : "tensors"} (${shown}${more})`;
}
