// How the lanes of a workgroup combine what each has: by subgroups where there are any, by a tree in workgroup memory, or, where
// there are few lanes, one after the other. The number of lanes is a power of two.
import type { Profile } from "../device/profile.ts";
import { declareOrder } from "./float_bits.ts";
import { type Shader, upTo } from "./shader.ts";

/** What is combined: sums, or maxima of numbers among which NaN does not matter. */
export type LaneCombination = "sum" | "maximum";

/** Up to so many lanes are combined one after the other. */
const fewLanes = 8;

/** The fewest lanes of a subgroup, by the specification. */
const leastSubgroup = 4;

const combined: Record<LaneCombination, (a: string, b: string) => string> = {
  sum: (a, b) => `${a} + ${b}`,
  maximum: (a, b) => `max(${a}, ${b})`,
};

const ofSubgroup: Record<LaneCombination, string> = { sum: "subgroupAdd", maximum: "subgroupMax" };

/** A reduction under construction. */
interface Reduction {
  /** Statements that leave results, or parts of them, in workgroup memory, and end with a barrier. */
  readonly statements: string;
  /** Statements that then declare `name`, the combination of the lanes' value number `i`, both expressions. */
  readonly result: (name: string, i: string) => string;
}

function reduction(
  shader: Shader,
  { lanes, combination, profile }: { lanes: number; combination: LaneCombination; profile: Profile },
  values: readonly string[],
): Reduction {
  const join = combined[combination];
  const bySubgroups = profile.subgroups && lanes > fewLanes;
  // Reductions of different sizes in one kernel have memory of their own.
  const memory = `lanes_${values.length}`;
  const kept = bySubgroups ? lanes / leastSubgroup : lanes;
  shader.declare(`var<workgroup> ${memory}: array<f32, ${kept * values.length}>;`);
  const all = (statement: (value: string, i: number) => string) => values.map(statement).join(" ");
  const inTurn = (count: string, step: string) => (name: string, i: string) =>
    `${name} = ${memory}[${i}${step}];
  for (var s = 1u; s < ${count}; s++) { ${name} = ${join(name, `${memory}[s * ${values.length}u + ${i}]`)}; }`;
  if (bySubgroups) {
    shader.useSubgroups();
    const whole = `max(1u, ${lanes}u / subgroup_size)`;
    return {
      statements: `${all((value) => `${value} = ${ofSubgroup[combination]}(${value});`)}
  if (subgroup_lane == 0u) {
    ${all((value, i) => `${memory}[lane / subgroup_size * ${values.length}u + ${i}u] = ${value};`)}
  }
  workgroupBarrier();`,
      result: inTurn(whole, ""),
    };
  }
  const place = (lane: string, i: number) => `${memory}[(${lane}) * ${values.length}u + ${i}u]`;
  const put = all((value, i) => `${place("lane", i)} = ${value};`);
  if (lanes <= fewLanes) return { statements: `${put}\n  workgroupBarrier();`, result: inTurn(`${lanes}u`, "") };
  const halves = upTo(Math.log2(lanes)).map((step) => lanes >> (step + 1));
  const level = (half: number) =>
    `if (lane < ${half}u) { ${
      all((_, i) => `${place("lane", i)} = ${join(place("lane", i), place(`lane + ${half}u`, i))};`)
    } }
  workgroupBarrier();`;
  return {
    statements: `${put}\n  workgroupBarrier();\n  ${halves.map(level).join("\n  ")}`,
    result: (name, i) => `${name} = ${memory}[${i}];`,
  };
}

/** Statements that give all lanes the combination of each of their values, which are names of variables. */
export function shareAcrossLanes(
  shader: Shader,
  lanes: number,
  combination: LaneCombination,
  values: readonly string[],
  profile: Profile,
): string {
  const { statements, result } = reduction(shader, { lanes, combination, profile }, values);
  return `${statements}
  ${values.map((value, i) => result(value, `${i}u`)).join("\n  ")}
  workgroupBarrier();`;
}

/**
 * Statements that give lane i, of as many lanes as there are values, the sum of the lanes' value number i, in `total`.
 * All lanes execute them; there are no more values than lanes.
 */
export function sumToLanes(shader: Shader, lanes: number, values: readonly string[], profile: Profile): string {
  const { statements, result } = reduction(shader, { lanes, combination: "sum", profile }, values);
  return `${statements}
  var total = 0.0;
  if (lane < ${values.length}u) { ${result("total", "lane")} }`;
}

/** What a lane has found in a line. */
export interface Pick {
  readonly value: string;
  /** The value's place in the line; the line's length stands for none. */
  readonly place: string;
  /** The line's length, an expression. */
  readonly none: string;
  /** A function of (value, place, value, place): whether the first is picked before the second. */
  readonly before: string;
}

/** Statements that give all lanes the best of their picks: the largest value, of equal ones that of the lowest place. */
export function shareBest(
  shader: Shader,
  lanes: number,
  { value, place, none, before }: Pick,
  profile: Profile,
): string {
  shader.declare(`var<workgroup> best_values: array<f32, ${lanes}>;`);
  shader.declare(`var<workgroup> best_places: array<u32, ${lanes}>;`);
  const take = (from: string) =>
    `if (${before}(best_values[${from}], best_places[${from}], ${value}, ${place})) { ` +
    `${value} = best_values[${from}]; ${place} = best_places[${from}]; }`;
  const put = (at: string) => `best_values[${at}] = ${value}; best_places[${at}] = ${place};`;
  const inTurn = (count: string) =>
    `${value} = best_values[0]; ${place} = best_places[0];
    for (var s = 1u; s < ${count}; s++) { ${take("s")} }
    workgroupBarrier();`;
  if (lanes <= fewLanes) return `${put("lane")}\n    workgroupBarrier();\n    ${inTurn(`${lanes}u`)}`;
  if (profile.subgroups) {
    shader.useSubgroups();
    // Whole numbers in the order of the values, so that NaN has a place too.
    return `{
      let key = select(-2147483647 - 1, ${declareOrder(shader)}(${value}), ${place} != ${none});
      let most = subgroupMax(key);
      ${place} = subgroupMin(select(${none}, ${place}, key == most));
      ${value} = bitcast<f32>(select(most, bitcast<i32>(0x80000000u) - most, most < 0));
    }
    if (subgroup_lane == 0u) { ${put("lane / subgroup_size")} }
    workgroupBarrier();
    ${inTurn(`max(1u, ${lanes}u / subgroup_size)`)}`;
  }
  const halves = upTo(Math.log2(lanes)).map((step) => lanes >> (step + 1));
  const level = (half: number) =>
    `if (lane < ${half}u) { ${take(`lane + ${half}u`)} ${put("lane")} }
    workgroupBarrier();`;
  return `${put("lane")}
    workgroupBarrier();
    ${halves.map(level).join("\n    ")}
    ${value} = best_values[0]; ${place} = best_places[0];
    workgroupBarrier();`;
}
