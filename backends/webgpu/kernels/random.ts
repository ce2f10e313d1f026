// Kernels that draw: an invocation an element. src/operators/random.ts says how a place's word is made.
import type { Dimension } from "../../../src/graph/mod.ts";
import { type BernoulliAttributes, type DropoutAttributes, leastTrue, mixFactors } from "../../../src/operators/mod.ts";
import type { Profile } from "../device/profile.ts";
import type { View } from "../program/view.ts";
import { type Dispatch, elementCount, Shader } from "./shader.ts";

const [first, second] = mixFactors.map((factor) => `${factor}u`);

const mix = `fn mixWord(given: u32) -> u32 {
  var word = (given ^ (given >> 16u)) * ${first};
  word = (word ^ (word >> 15u)) * ${second};
  return word ^ (word >> 16u);
}`;

const draw = `fn randomWord(index: u32, width: u32, keys: vec2u, stream: u32) -> u32 {
  let line = mixWord(mixWord(index / width + keys.x) + stream);
  let word = (line ^ mixWord(index % width + keys.y)) * ${first};
  return (word ^ (word >> 15u)) * ${second};
}`;

/** Whether the decision at `index` is true, as an expression. */
function decision(
  shader: Shader,
  key: View,
  index: string,
  { length, probability, stream }: Omit<BernoulliAttributes, "shape"> & { length: Dimension },
): string {
  shader.declare(mix);
  shader.declare(draw);
  const words = shader.read(key.storage, "i32");
  const at = shader.parameter(key.offset);
  const keys = `bitcast<vec2u>(vec2i(${words(at)}, ${words(`${at} + 1u`)}))`;
  const [width, own, least] = [length, stream, leastTrue(probability)].map((value) => shader.parameter(value));
  return `randomWord(${index}, ${width}, ${keys}, ${own}) >= ${least}`;
}

/** Decisions; both views are contiguous. */
export function bernoulliKernel(key: View, to: View, attributes: BernoulliAttributes, profile: Profile): Dispatch {
  const shader = new Shader("bernoulli");
  const target = shader.write(to.storage, "u32");
  const offset = shader.parameter(to.offset);
  const isTrue = decision(shader, key, "index", { ...attributes, length: to.shape.at(-1) ?? 1 });
  return shader.elements(
    `${target.store(`${offset} + index`, `select(0u, 1u, ${isTrue})`)};`,
    elementCount(to.shape),
    profile.lanes,
  );
}

/** x scaled where it stays, else 0; the target is contiguous. */
export function dropoutKernel(
  { x, key }: { x: View; key: View },
  to: View,
  { probability, stream, perSample = false }: DropoutAttributes,
  profile: Profile,
): Dispatch {
  const shader = new Shader("dropout");
  const target = shader.write(to.storage, "f32");
  const source = shader.read(x.storage, "f32");
  const places = shader.places(to.shape, "index", { out: to, at: x });
  const sample = perSample ? `index / ${shader.parameter(elementCount(to.shape.slice(1)))}` : "index";
  // A sample is a line of one decision, unless it has no other axis.
  const length = perSample && to.shape.length > 1 ? 1 : to.shape.at(-1) ?? 1;
  const stays = decision(shader, key, sample, { probability: 1 - probability, stream, length });
  const scale = shader.float(1 / (1 - probability));
  const body = `${places}\n  ${target.store("out", `select(0.0, ${source("at")} * ${scale}, ${stays})`)};`;
  return shader.elements(body, elementCount(to.shape), profile.lanes);
}
