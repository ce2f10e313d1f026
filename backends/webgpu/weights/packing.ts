// Packing a parameter into a layout, a piece of its elements at a time, so that no array is as long as the parameter.
import {
  type IndexRange,
  type MatrixLayout,
  paddedDepth,
  type PanelLayout,
  panelWidth,
  type PlainLayout,
  splitRange,
  wordsOfOutput,
} from "./layout.ts";

/** Words, and the word of the buffer at which they begin. */
export interface PlacedWords {
  readonly at: number;
  readonly words: Uint32Array;
}

/** Split the `size` elements of a parameter into pieces of about `most`, each of which can be placed by itself. */
export function piecesOf(layout: PlainLayout, size: number, most: number): IndexRange[] {
  const isHalved = layout.kind === "panels" && layout.storage === "float16";
  if (layout.kind === "matrix" || isHalved && !layout.byOutput) {
    const { from, to, inputs, byOutput } = layout;
    // Inputs that are rows are turned, all at once.
    return byOutput ? splitRange(from * inputs, to * inputs, Math.max(1, Math.floor(most / inputs)) * inputs) : [
      { from: 0, to: size },
    ];
  }
  if (layout.kind !== "panels") return splitRange(0, size, most);
  const { from, to, inputs, outputs, byOutput } = layout;
  const unit = byOutput ? panelWidth * inputs : outputs;
  const step = Math.max(1, Math.floor(most / unit)) * unit;
  return byOutput ? splitRange(from * inputs, to * inputs, step) : splitRange(0, size, step);
}

/**
 * Arrange a piece as its layout has it.
 *
 * @param words The piece's elements.
 * @param memory Returns words to pack into, which are not cleared.
 * @returns Contiguous words, each with its place in the buffer.
 */
export function placePiece(
  layout: PlainLayout,
  { from }: IndexRange,
  words: Uint32Array,
  memory: (length: number) => Uint32Array,
): PlacedWords[] {
  if (layout.kind === "matrix") return [packMatrix(layout, from, words, memory)];
  if (layout.kind !== "panels") return [{ at: from, words }];
  if (layout.storage === "float16") return [packHalves(layout, from, words, memory)];
  return layout.byOutput ? [packOutputs(layout, from, words, memory)] : packInputs(layout, from, words, memory);
}

/** Pack rows of inputs, one for each output, into whole panels. */
function packOutputs(
  { from, inputs }: PanelLayout,
  first: number,
  words: Uint32Array,
  memory: (length: number) => Uint32Array,
): PlacedWords {
  const [outputs, depth] = [words.length / inputs, paddedDepth(inputs)];
  const packed = memory(Math.ceil(outputs / panelWidth) * panelWidth * depth);
  if (depth !== inputs || outputs % panelWidth !== 0) packed.fill(0);
  for (let n = 0, source = 0; n < outputs; n++) {
    let at = Math.floor(n / panelWidth) * panelWidth * depth + n % panelWidth;
    for (const end = source + inputs; source < end; source++, at += panelWidth) packed[at] = words[source];
  }
  return { at: (first / inputs - from) * depth, words: packed };
}

/** Pack rows of outputs, one for each input: some words of every panel, or all panels at once where no input is missing. */
function packInputs(
  { from, to, outputs, inputs }: PanelLayout,
  first: number,
  words: Uint32Array,
  memory: (length: number) => Uint32Array,
): PlacedWords[] {
  const [rows, panels, depth] = [words.length / outputs, Math.ceil((to - from) / panelWidth), paddedDepth(inputs)];
  const length = rows * panelWidth;
  const packed = memory(panels * length);
  if ((to - from) % panelWidth !== 0) packed.fill(0, (panels - 1) * length);
  for (let panel = 0, n = from; panel < panels; panel++, n += panelWidth) {
    const width = Math.min(panelWidth, to - n);
    for (let k = 0; k < rows; k++) {
      const [source, at] = [k * outputs + n, panel * length + k * panelWidth];
      for (let i = 0; i < width; i++) packed[at + i] = words[source + i];
    }
  }
  if (rows === depth) return [{ at: 0, words: packed }];
  const top = first / outputs * panelWidth;
  return Array.from({ length: panels }, (_, panel) => ({
    at: panel * depth * panelWidth + top,
    words: packed.subarray(panel * length, (panel + 1) * length),
  }));
}

/** Pack outputs into whole panels of float16: those of a piece, or all of them. */
function packHalves(
  { from, to, inputs, outputs, byOutput }: PanelLayout,
  first: number,
  words: Uint32Array,
  memory: (length: number) => Uint32Array,
): PlacedWords {
  const [count, depth] = [byOutput ? words.length / inputs : to - from, paddedDepth(inputs)];
  const packed = memory(Math.ceil(count / panelWidth) * panelWidth * depth / 2);
  if (depth !== inputs || count % panelWidth !== 0) packed.fill(0);
  const source = new Float32Array(words.buffer, words.byteOffset, words.length);
  const target = new Float16Array(packed.buffer, packed.byteOffset, 2 * packed.length);
  const [outputStep, inputStep] = byOutput ? [inputs, 1] : [1, outputs];
  for (let n = 0; n < count; n++) {
    const at = placeInPanel(n, depth, 8);
    const begin = (byOutput ? 0 : from) + n * outputStep;
    for (let k = 0; k < inputs; k++) {
      target[at + (k >> 1) * 2 * panelWidth + (k & 1) * 4] = source[begin + k * inputStep];
    }
  }
  return { at: byOutput ? (first / inputs - from) * depth / 2 : 0, words: packed };
}

/** Where an output's first number lies in panels of so many inputs, in numbers of which a texel holds `each`. */
export function placeInPanel(output: number, inputs: number, each: number): number {
  const column = output % panelWidth;
  return (output - column) * inputs + (column >> 2) * each + (column & 3);
}

/** The inputs and outputs that are turned at a time: what a cache holds. */
const strip = 32;

/** Pack outputs of a matrix with their inputs one after another: those of a piece, or all of them. */
function packMatrix(
  layout: MatrixLayout,
  first: number,
  words: Uint32Array,
  memory: (length: number) => Uint32Array,
): PlacedWords {
  const { from, to, inputs, outputs, byOutput, storage } = layout;
  const width = wordsOfOutput(layout);
  const count = byOutput ? words.length / inputs : to - from;
  const packed = memory(count * width);
  const source = new Float32Array(words.buffer, words.byteOffset, words.length);
  const [target, step] = storage === "float16"
    ? [new Float16Array(packed.buffer, packed.byteOffset, 2 * packed.length), 2 * width]
    : [new Float32Array(packed.buffer, packed.byteOffset, packed.length), width];
  if (step !== inputs) packed.fill(0);
  if (byOutput) {
    if (step === inputs) target.set(source);
    else for (let n = 0; n < count; n++) target.set(source.subarray(n * inputs, (n + 1) * inputs), n * step);
    return { at: (first / inputs - from) * width, words: packed };
  }
  for (let n0 = 0; n0 < count; n0 += strip) {
    for (let k0 = 0; k0 < inputs; k0 += strip) {
      const [n1, k1] = [Math.min(count, n0 + strip), Math.min(inputs, k0 + strip)];
      for (let n = n0; n < n1; n++) {
        for (let k = k0; k < k1; k++) target[n * step + k] = source[k * outputs + from + n];
      }
    }
  }
  return { at: 0, words: packed };
}
