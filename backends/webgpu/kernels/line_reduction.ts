// Sums and maxima of lines by the lanes of a workgroup together, for GPUs: neighbouring lanes read neighbouring elements, where one
// lane for a line would read alone, far from what the others read.
import type { Dimension } from "../../../src/graph/mod.ts";
import type { Profile } from "../device/profile.ts";
import type { View } from "../program/view.ts";
import { isNotANumber } from "./float_bits.ts";
import { shareAcrossLanes } from "./lane_reduction.ts";
import type { Combination, Reduced } from "./reduction.ts";
import { type Dispatch, elementCount, Shader } from "./shader.ts";

/** The fewest elements of a line for which lanes share it. */
const leastLength = 32;

/** The elements of a line for which a workgroup is a large one. */
const longLength = 1024;

/** The lanes that share each line of a reduction; undefined where a lane for each line is better. */
export function lineLanes({ reduced }: Reduced, profile: Profile): number | undefined {
  const length = elementCount(reduced.shape);
  // Lines that lie side by side are read side by side by a lane each.
  const isAlong = reduced.strides.at(-1) === 1;
  if (!profile.gpu || !isAlong || typeof length === "number" && length < leastLength) return undefined;
  return typeof length === "number" && length < longLength ? profile.rowLanes : profile.longRowLanes;
}

/**
 * Reduce lines, or parts of `chunk` elements of lines: target [kept, parts], contiguous.
 *
 * @param chunk The elements of a part; undefined where a line is one part.
 */
export function reduceLinesKernel(
  { x, kept, reduced }: Reduced,
  target: View,
  { combination, chunk, scale, lanes }: {
    combination: Combination;
    chunk?: number;
    scale?: Dimension;
    lanes: number;
  },
  profile: Profile,
): Dispatch {
  const shader = new Shader(`reduce lines ${lanes}`);
  const source = shader.read(x.storage, "f32");
  const out = shader.write(target.storage, "f32");
  const length = elementCount(reduced.shape);
  const count = elementCount(kept.shape);
  const all = shader.parameter(length);
  const parts = chunk === undefined ? "1u" : `((${all} + ${chunk - 1}u) / ${chunk}u)`;
  const isSum = combination === "sum";
  const share = (name: string, how: "sum" | "maximum") => shareAcrossLanes(shader, lanes, how, [name], profile);
  const element = (at: string) => source(`base + ${at}`);
  const place = (j: string, name: string) =>
    shader.places(reduced.shape, j, { [name]: { strides: reduced.strides, offset: 0 } });
  // A maximum is NaN where an element is: those are counted beside it, since a device may drop them.
  const start = isSum ? "0.0" : element("first");
  const step = isSum
    ? `total = total + x;`
    : `if (${isNotANumber("x")}) { strange = 1.0; } else if (x > total || ${isNotANumber("total")}) { total = x; }`;
  const body = `if (group >= ${shader.parameter(count)} * ${parts}) { return; }
  let result = group / ${parts};
  let begin = (group % ${parts}) * ${chunk ?? 0}u;
  let end = ${chunk === undefined ? all : `min(${all}, begin + ${chunk}u)`};
  ${shader.places(kept.shape, "result", { base: { strides: kept.strides, offset: x.offset } })}
  ${isSum ? "" : place("begin", "first")}
  var strange = 0.0;
  var total = ${start};
  for (var j = begin + lane; j < end; j += ${lanes}u) {
    ${place("j", "at")}
    let x = ${element("at")};
    ${step}
  }
  ${
    isSum ? "" : `if (${isNotANumber("total")}) { strange = 1.0; total = ${shader.float(-Infinity)}; }
  ${share("strange", "sum")}`
  }
  ${share("total", isSum ? "sum" : "maximum")}
  if (lane == 0u) {
    ${isSum ? "" : `if (strange > 0.0) { total = ${shader.float(NaN)}; }`}
    ${out.store("group", `total${scale === undefined ? "" : ` / f32(${shader.parameter(scale)})`}`)};
  }`;
  const chunks = (n: number) => chunk === undefined ? 1 : Math.ceil(n / chunk);
  return shader.groups(body, (resolve) => resolve(count) * chunks(resolve(length)), lanes, {
    iterations: (resolve) => Math.ceil(Math.min(resolve(length), chunk ?? Infinity) / lanes) + 2 * lanes,
  });
}
