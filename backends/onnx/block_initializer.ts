// The initializers of a model that hold parameters in blocks.
import { bytesPerElement, sizeOf } from "../../src/tensor/mod.ts";
import { codeType } from "../../src/weights/mod.ts";
import type { BlockParameter, BlockPart } from "./block_parameter.ts";
import type { LoweringContext } from "./lowering_context.ts";

/** The initializer of the rows from `row` on of a part of a parameter, written once for each form. */
export function initializerOf(
  context: LoweringContext,
  parameter: BlockParameter,
  { part, shape, row = 0 }: { part: BlockPart; shape: readonly number[]; row?: number },
): string {
  const name = `${part}:${shape.join("x")}@${row}:${parameter.name}`;
  if (context.blockInitializers.some((known) => known.name === name)) return name;
  const dataType = part === "codes" ? codeType(parameter.form) : "float32";
  const byteLength = sizeOf(shape) * bytesPerElement(dataType);
  const offset = row * byteLength / shape[0];
  context.blockInitializers.push({ name, parameter: parameter.name, part, dataType, shape, offset });
  const region = parameter[part === "codes" ? "codes" : "scales"];
  return context.model.initializer(name, dataType, shape, { ...region, offset: region.offset + offset, byteLength });
}
