// Numbers held as float16, two in a word, and widened again.
import type { Profile } from "../device/profile.ts";
import type { Storage, View } from "../program/view.ts";
import { bitsOfFloat16, float16OfBits, toFloat16 } from "./float_bits.ts";
import { type Dispatch, elementCount, Shader } from "./shader.ts";

/** Round the elements of a contiguous view, float32, to float16, two in each word of `words`. */
export function halvesKernel(from: View, words: Storage, profile: Profile): Dispatch {
  const shader = new Shader("to halves");
  const source = shader.read(from.storage, "f32");
  const target = shader.write(words, "u32");
  const count = elementCount(from.shape);
  const [total, offset] = [count, from.offset].map((size) => shader.parameter(size));
  const half = (at: string) => bitsOfFloat16(shader, toFloat16(shader, source(`${offset} + ${at}`)));
  const body = `let word = group * ${profile.lanes}u + lane;
  let first = 2u * word;
  if (first >= ${total}) { return; }
  var second = 0u;
  if (first + 1u < ${total}) { second = ${half("first + 1u")}; }
  ${target.store("word", `${half("first")} | (second << 16u)`)};`;
  return shader.groups(body, (resolve) => Math.ceil(Math.ceil(resolve(count) / 2) / profile.lanes), profile.lanes);
}

/** Widen float16, two in each word of `words`, to the elements of a contiguous view, float32. */
export function fromHalvesKernel(words: Storage, to: View, profile: Profile): Dispatch {
  const shader = new Shader("from halves");
  const target = shader.write(to.storage, "f32");
  const source = shader.read(words, "u32");
  const offset = shader.parameter(to.offset);
  const bits = `(${source("index >> 1u")} >> (16u * (index & 1u))) & 0xffffu`;
  const body = `${target.store(`${offset} + index`, float16OfBits(shader, bits))};`;
  return shader.elements(body, elementCount(to.shape), profile.lanes);
}
