// How weights lie in device memory: as stored (raw), as stored but cut into bindings (rows), or packed for products.
import { panelDepth, panelWidth } from "./kernels/panels.ts";

/** A layout of a parameter's elements. Each part is one binding. */
export type Layout =
  | { readonly kind: "raw" }
  | { readonly kind: "rows"; readonly from: number; readonly to: number; readonly width: number }
  | {
    readonly kind: "panels";
    /** The outputs that the part holds. */
    readonly from: number;
    readonly to: number;
    readonly outputs: number;
    readonly inputs: number;
    /** Whether the stored matrix is [outputs, inputs]. */
    readonly byOutput: boolean;
  };

/** A text that equal layouts share; the rows of one parameter are one buffer. */
export function layoutKey(layout: Layout): string {
  return layout.kind === "panels" ? `panels ${layout.from} ${layout.to} ${layout.byOutput}` : "raw";
}

/** The runs of entries, of `width` numbers each, that fit into a binding; each begins at a multiple of 256 bytes. */
export function rawParts(entries: number, width: number, maxBinding: number): { from: number; to: number }[] {
  return cut(entries, Math.floor(maxBinding / (4 * width) / 64) * 64);
}

/** The runs of outputs whose panels fit into a binding. */
export function panelParts(outputs: number, inputs: number, maxBinding: number): { from: number; to: number }[] {
  const depth = Math.ceil(inputs / panelDepth) * panelDepth;
  return cut(outputs, Math.floor(maxBinding / (4 * depth * panelWidth)) * panelWidth);
}

function cut(total: number, most: number): { from: number; to: number }[] {
  const parts: { from: number; to: number }[] = [];
  for (let from = 0; from < total; from += most) parts.push({ from, to: Math.min(total, from + most) });
  return parts;
}

/** Pack a matrix into panels, [panels][depth][64], what is missing being zero. */
export function packPanels(matrix: Float32Array, layout: Extract<Layout, { kind: "panels" }>): Float32Array {
  const { from, to, outputs, inputs, byOutput } = layout;
  const depth = Math.ceil(inputs / panelDepth) * panelDepth;
  const packed = new Float32Array(Math.ceil((to - from) / panelWidth) * panelWidth * depth);
  for (let n = from; n < to; n++) {
    const at = Math.floor((n - from) / panelWidth) * panelWidth * depth + (n - from) % panelWidth;
    if (byOutput) { for (let k = 0; k < inputs; k++) packed[at + k * panelWidth] = matrix[n * inputs + k]; }
    else for (let k = 0; k < inputs; k++) packed[at + k * panelWidth] = matrix[k * outputs + n];
  }
  return packed;
}
