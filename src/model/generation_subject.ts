// What a generation depends on besides its options: the model, and the pictures.
import { generationBytes, type Subject } from "../generation/mod.ts";
import type { Architecture, VisionEncoderDecoderConfig } from "../models/mod.ts";

/** The subject of a generation from pictures of a size, in pixels. */
export function subjectOf(
  config: VisionEncoderDecoderConfig,
  architecture: Architecture,
  { batch, size }: { readonly batch: number; readonly size: readonly [height: number, width: number] },
): Subject {
  const { decoder, limits } = architecture;
  return {
    limits,
    bytesOf: (rows, positions) => generationBytes(architecture, { batch, size, rows, positions }),
    batch,
    vocabularySize: decoder.vocabularySize,
    maxPositions: decoder.maxPositions,
    prependsStart: !config.encoder.model_type.includes("donut"),
  };
}
