// Weights in panels as texels: float32, float16, or codes and scales of few bits. A texel has four neighbouring outputs of one
// input, or of two, four or eight; what is not float32 is widened as it is read, once for all rows of a tile.
import type { TexelShape } from "../../device/profile.ts";
import { middleOf } from "../../../../src/weights/mod.ts";
import { bitsOf, paddedDepth, panelWidth } from "../../weights/layout.ts";
import type { PanelWeights } from "../panel_matmul.ts";
import { type Shader, upTo } from "../shader.ts";
import { ownVectors, rightAcross, type RightReader } from "./texel_tile.ts";

/** The vectors of four outputs of a panel. */
const fours = panelWidth / 4;

/** The inputs of a texel of weights. */
export function inputsOfTexel({ storage }: Pick<PanelWeights, "storage">): number {
  return 32 / bitsOf(storage);
}

/** How a tile reads its weights. */
export interface WeightReader {
  readonly right: RightReader;
  /** Statements that find the tile's first texels: `begin` is the tile's first output in the layout. */
  readonly places: string;
  /** Statements that go on by so many inputs. */
  readonly advance: (depth: number) => string;
}

/** Read the weights of a tile. @param inputs The matrix's, which are padded. */
export function readWeights(shader: Shader, shape: TexelShape, weights: PanelWeights, inputs: number): WeightReader {
  const each = inputsOfTexel(weights);
  const groups = shader.parameter(paddedDepth(inputs) / each);
  const fetch = fetchWords(shader, weights);
  // A tile has columns of one panel, or whole panels.
  const panels = [...new Set(ownVectors(shape).map((column) => Math.floor(column / panelWidth)))];
  const place = (count: string) => `begin / ${panelWidth}u * ${count} * ${fours}u + begin % ${panelWidth}u / 4u + lane`;
  const at = (name: string, column: number) => `${name}${Math.floor(column / panelWidth)}`;
  const further = (column: number) => column % panelWidth / 4;
  const places = (name: string, count: string, keyword: string) =>
    panels.map((p) => `${keyword} ${name}${p} = ${place(count)} + ${p * fours}u * ${count};`).join(" ");
  const advance = (depth: number) => panels.map((p) => `panel${p} += ${depth / each * fours}u;`).join(" ");
  if (weights.storage === "float32") {
    const right = rightAcross(shape, (s, column) => fetch(at("panel", column), s * fours + further(column)));
    return { right, places: places("panel", groups, "var"), advance };
  }
  const scales = scalesOf(shader, weights, inputs);
  const right = (depth: number) =>
    ownVectors(shape).map((column, v) => {
      const words = upTo(depth / each).map((g) =>
        `let w${g}_${v} = ${fetch(at("panel", column), g * fours + further(column))};`
      );
      const factor = scales &&
        `let f_${v} = ${scales.fetch(`(${at("block", column)} + k / ${scales.block} * ${fours}u)`, further(column))};`;
      const numbers = upTo(depth).map((s) => {
        const number = widened(weights, `w${Math.floor(s / each)}_${v}`, s % each);
        return `let b${s}_${v} = ${factor ? `${number} * f_${v}` : number};`;
      });
      return [...words, factor ?? "", ...numbers].join(" ");
    }).join("\n    ");
  const begin = scales ? places("block", scales.count, "let") : "";
  return { right, places: `${places("panel", groups, "var")} ${begin}`, advance };
}

/** Declare `number(output, input)` of weights, both u32 expressions, and return its name. */
export function declareNumber(shader: Shader, weights: PanelWeights, inputs: number): string {
  const each = inputsOfTexel(weights);
  const groups = shader.parameter(paddedDepth(inputs) / each);
  const scales = scalesOf(shader, weights, inputs);
  const place = (count: string, index: string) =>
    `(n / ${panelWidth}u * ${count} + ${index}) * ${fours}u + n % ${panelWidth}u / 4u`;
  const texel = fetchWords(shader, weights)(`(${place(groups, `k / ${each}u`)})`);
  const factor = scales ? ` * ${scales.fetch(`(${place(scales.count, `k / ${scales.block}`)})`)}[n % 4u]` : "";
  // The inputs of a texel differ in how their words are widened.
  const cases = upTo(each).map((s) => `case ${s}u: { value = ${widened(weights, "texel", s)}; }`).join(" ");
  shader.declare(`fn number(n: u32, k: u32) -> f32 {
  let texel = ${texel};
  var value = vec4f();
  switch k % ${each}u { ${cases} default: {} }
  return value[n % 4u]${factor};
}`);
  return "number";
}

function fetchWords(shader: Shader, { words, storage }: PanelWeights): (index: string, further?: number) => string {
  return shader.readTexels(words.storage, storage === "float32" ? "rgba32float" : "rgba32uint");
}

/** Expressions of the scales of weights of few bits. */
function scalesOf(shader: Shader, { scales, storage }: PanelWeights, inputs: number) {
  if (!scales || typeof storage === "string") return undefined;
  const [block, count] = [storage.block, inputs / storage.block].map((d) => shader.parameter(d));
  return { fetch: shader.readTexels(scales.storage), block, count };
}

/** The vector of four outputs of input s of a texel, without its scale. */
function widened({ storage }: PanelWeights, texel: string, s: number): string {
  if (storage === "float32") return texel;
  const word = (i: number) => `${texel}.${"xyzw"[i]}`;
  if (storage === "float16") return `vec4f(unpack2x16float(${word(2 * s)}), unpack2x16float(${word(2 * s + 1)}))`;
  const middle = `${middleOf(storage)}.0`;
  if (storage.bits === 8) return `(vec4f(unpack4xU8(${word(s)})) - ${middle})`;
  const shifts = upTo(4).map((i) => `${16 * (s & 1) + 4 * i}u`).join(", ");
  return `(vec4f((vec4u(${word(s >> 1)}) >> vec4u(${shifts})) & vec4u(15u)) - ${middle})`;
}
