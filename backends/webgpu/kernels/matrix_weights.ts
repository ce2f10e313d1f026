// A weight as products on GPUs read it: four inputs of an output at a time, from numbers of 32 or 16 bits, or from codes and
// scales of 8 or 4 bits, which are widened to float32 as they are read.
import type { BlockEncoding } from "../../../src/weights/mod.ts";
import type { View } from "../program/view.ts";
import type { NumberStorage } from "../weights/layout.ts";
import type { Shader } from "./shader.ts";

/** Outputs of a matrix, each with its inputs one after another. */
export interface MatrixWeights {
  /** The words of the numbers, or of the codes. */
  readonly words: View;
  readonly storage: NumberStorage | BlockEncoding;
  /** One for each block of an output, with codes. */
  readonly scales?: View;
  /** The inputs, as they are padded. */
  readonly inputs: number;
}

/** Declare `weight(n, k)`, inputs 4 · k to 4 · k + 3 of output n of the matrix, and return its name. */
export function declareWeight(shader: Shader, { words, storage, scales, inputs }: MatrixWeights): string {
  const fours = shader.parameter(inputs / 4);
  const declare = (body: string) => shader.declare(`fn weight(n: u32, k: u32) -> vec4f { ${body} }`);
  if (storage === "float32") {
    declare(`return ${shader.read(words.storage, "vec4f")(`n * ${fours} + k`)};`);
  } else if (storage === "float16") {
    declare(`let halves = ${shader.read(words.storage, "vec2<u32>")(`n * ${fours} + k`)};
  return vec4f(unpack2x16float(halves.x), unpack2x16float(halves.y));`);
  } else {
    const { bits, block } = storage;
    const codes = shader.read(words.storage, "u32");
    const factors = shader.read(scales!.storage, "f32");
    const [perScale, perOutput] = [block / 4, inputs / block].map((d) => shader.parameter(d));
    const scale = factors(`n * ${perOutput} + k / ${perScale}`);
    declare(
      bits === 8
        ? `return (vec4f(unpack4xU8(${codes(`n * ${fours} + k`)})) - 128.0) * ${scale};`
        : `let at = n * ${fours} + k;
  let word = ${codes("at >> 1u")} >> (16u * (at & 1u));
  return (vec4f((vec4u(word) >> vec4u(0u, 4u, 8u, 12u)) & vec4u(15u)) - 8.0) * ${scale};`,
    );
  }
  return "weight";
}
