// A kernel under construction: WGSL with its parameters and bindings. Equal structures give equal code, so pipelines are
// shared; what differs between uses is in a block of whole numbers, the parameters. Kernels keep below 65,535 iterations of all loops
// of an invocation, after which the software adapter stops without an error.
import { type Dimension, multiplyDimensions, type Shape } from "../../../src/graph/mod.ts";
import type { DataType } from "../../../src/tensor/mod.ts";
import { type TexelFormat, texelRow } from "../device/texels.ts";
import { mergeAxes, type Resolve, type Resolved, type Storage, type View } from "../program/view.ts";
import { accessTo, type Elements } from "./element_access.ts";

/** The iterations after which an invocation of the software adapter stops. */
export const maxIterations = 65_535;

/** The workgroups along one axis of a dispatch. */
const maxWorkgroups = 65_535;

/** Types of elements in WGSL. */
export type ElementType = "f32" | "i32" | "u32";

/** How elements of a data type are held on the device: 64 bits as 32, half precision as single, bool as a word. */
export function elementType(dataType: DataType): ElementType {
  if (dataType.includes("float")) return "f32";
  return dataType === "bool" || dataType === "uint8" ? "u32" : "i32";
}

/** One kernel on its operands, ready to be bound. */
export interface Dispatch {
  readonly label: string;
  readonly code: string;
  readonly storages: readonly Storage[];
  /** Whether the kernel writes it, for each storage. */
  readonly writes: readonly boolean[];
  /** What texels the kernel reads it as, if it does, for each storage. */
  readonly texels: readonly (TexelFormat | undefined)[];
  /** Instead of a kernel: the first storage is copied to the second, which are texels. */
  readonly copies?: boolean;
  /** The parameters, in the order of the block. */
  readonly parameters: readonly Dimension[];
  /** The workgroups along x, y and z. */
  readonly workgroups: (resolve: Resolve) => readonly [number, number, number];
  /** The iterations of an invocation's loops. */
  readonly iterations?: Resolved;
  /** The multiplications and additions of all invocations, where that is worth knowing. */
  readonly operations?: Resolved;
  /** Dispatched several times, with this parameter 0, `step`, 2 · `step`, … below `end`. */
  readonly repeat?: { readonly parameter: number; readonly step: number; readonly end: Dimension };
}

const subgroupBuiltins =
  "@builtin(subgroup_size) subgroup_size: u32, @builtin(subgroup_invocation_id) subgroup_lane: u32";

/** What is known of a kernel's loops. */
type Loops = Pick<Dispatch, "iterations" | "operations">;

/** Builds a dispatch. */
export class Shader {
  readonly #parameters: Dimension[] = [];
  readonly #storages: Storage[] = [];
  readonly #writes: boolean[] = [];
  readonly #texels: (TexelFormat | undefined)[] = [];
  readonly #declarations: string[] = [];
  /** The storages that are bound for writing. */
  readonly #written = new Map<Storage, Elements>();
  #repeat: Dispatch["repeat"];
  #subgroups = false;

  /** @param label For messages and profiles. */
  constructor(readonly label: string) {}

  /** A parameter, as a u32 expression. */
  parameter(value: Dimension): string {
    const at = this.#parameters.push(value) - 1;
    return `parameters[${at >> 2}].${"xyzw"[at & 3]}`;
  }

  /** A constant that does not change the code, as an f32 expression. */
  float(value: number): string {
    return `bitcast<f32>(${this.parameter(new Uint32Array(Float32Array.of(value).buffer)[0])})`;
  }

  /** A whole-number constant that does not change the code, as an i32 expression. */
  integer(value: number): string {
    return `i32(${this.parameter(value >>> 0)})`;
  }

  /** A parameter that goes up from 0 by `step` below `end`, in as many dispatches. */
  repeat(end: Dimension, step: number): string {
    const name = this.parameter(0);
    this.#repeat = { parameter: this.#parameters.length - 1, step, end };
    return name;
  }

  /**
   * Bind a storage for reading, if it is not bound for writing.
   *
   * @param type What its elements are read as, however they are held; it may be a vector.
   * @returns Gives the element at an index, an expression.
   */
  read(storage: Storage, type: string): Elements["load"] {
    return (this.#written.get(storage) ?? this.#bind(storage, type, false)).load;
  }

  /** Bind a storage for writing (and reading). */
  write(storage: Storage, type: string): Elements {
    const elements = this.#bind(storage, type, true);
    this.#written.set(storage, elements);
    return elements;
  }

  /** Let the kernel use `subgroup_size` and `subgroup_lane`, the index of an invocation in its subgroup. */
  useSubgroups(): void {
    this.#subgroups = true;
  }

  /**
   * Bind a storage that is held as texels.
   *
   * @returns Gives the vector of four numbers at an index, an expression, and so many further on, which must be in the same
   * row of texels: a block of a power of two, up to a row, that begins at a multiple of itself.
   */
  readTexels(storage: Storage, format: TexelFormat = "rgba32float"): (index: string, further?: number) => string {
    const name = this.#declare(storage, `texture_storage_2d<${format}, read>`, "var", {
      writes: false,
      texels: format,
    });
    const rest = `& ${texelRow - 1}u`;
    return (index, further = 0) =>
      `textureLoad(${name}, vec2u((${index} ${rest})${further ? ` + ${further}u` : ""}, (${index}) / ${texelRow}u))`;
  }

  /** A declaration beside the entry point: a function, a workgroup variable. */
  declare(declaration: string): void {
    if (!this.#declarations.includes(declaration)) this.#declarations.push(declaration);
  }

  /**
   * Statements that declare, for the element `index` of a shape, its place in each view, named by the views' keys.
   * Axes are merged, so that contiguous views need no division.
   */
  places(shape: Shape, index: string, views: Readonly<Record<string, Pick<View, "strides" | "offset">>>): string {
    const names = Object.keys(views);
    const merged = mergeAxes(shape, names.map((name) => views[name].strides));
    const last = merged.shape.length - 1;
    const lines: string[] = [];
    const axes = merged.shape.map((_, axis) => `${names[0]}_${axis}`);
    let rest = index;
    for (let axis = last; axis > 0; axis--) {
      const length = this.parameter(merged.shape[axis]);
      lines.push(`let ${axes[axis]} = ${rest} % ${length}; let ${axes[axis]}_rest = ${rest} / ${length};`);
      rest = `${axes[axis]}_rest`;
    }
    if (last >= 0) lines.push(`let ${axes[0]} = ${rest};`);
    for (const [n, name] of names.entries()) {
      const { offset } = views[name];
      const terms = merged.strides[n].flatMap((stride, axis) =>
        stride === 0 ? [] : [stride === 1 ? axes[axis] : `${axes[axis]} * ${this.parameter(stride)}`]
      );
      if (offset !== 0) terms.push(this.parameter(offset));
      lines.push(`let ${name} = ${terms.join(" + ") || "0u"};`);
    }
    return lines.join("\n  ");
  }

  /** Finish with an invocation for each of `count` elements, whose index is `index`. */
  elements(body: string, count: Dimension, lanes: number, options: Loops = {}): Dispatch {
    const total = this.parameter(count);
    return this.groups(
      `let index = group * ${lanes}u + lane;\n  if (index >= ${total}) { return; }\n  ${body}`,
      (resolve) => Math.ceil(resolve(count) / lanes),
      lanes,
      options,
    );
  }

  /** Finish with a number of workgroups, whose index is `group`; an invocation's index in its workgroup is `lane`. */
  groups(body: string, count: Resolved, lanes: number, { iterations, operations }: Loops = {}): Dispatch {
    const block = Math.max(1, Math.ceil(this.#parameters.length / 4));
    const code = [
      `@group(0) @binding(0) var<uniform> parameters: array<vec4u, ${block}>;`,
      ...this.#declarations,
      `@compute @workgroup_size(${lanes})`,
      `fn main(@builtin(workgroup_id) place: vec3u, @builtin(num_workgroups) extent: vec3u,`,
      `    @builtin(local_invocation_index) lane: u32${this.#subgroups ? `,\n    ${subgroupBuiltins}` : ""}) {`,
      `  let group = place.y * extent.x + place.x;`,
      `  ${body}`,
      `}`,
    ].join("\n");
    return {
      label: this.label,
      code,
      storages: this.#storages,
      writes: this.#writes,
      texels: this.#texels,
      parameters: this.#parameters,
      iterations,
      operations,
      repeat: this.#repeat,
      workgroups: (resolve) => {
        const groups = count(resolve);
        const x = Math.min(groups, maxWorkgroups);
        return [x, x === 0 ? 0 : Math.ceil(groups / x), 1];
      },
    };
  }

  #bind(storage: Storage, type: string, writes: boolean): Elements {
    const variable = `var<storage, ${writes ? "read_write" : "read"}>`;
    const { held, access } = accessTo(storage, type);
    return access(this.#declare(storage, `array<${held}>`, variable, { writes }));
  }

  #declare(storage: Storage, type: string, variable: string, use: { writes: boolean; texels?: TexelFormat }): string {
    const at = this.#storages.push(storage);
    this.#writes.push(use.writes);
    this.#texels.push(use.texels);
    const name = `buffer${at}`;
    this.#declarations.unshift(`@group(0) @binding(${at}) ${variable} ${name}: ${type};`);
    return name;
  }
}

/** The numbers from 0 to n − 1. */
export const upTo = (n: number): number[] => [...Array(n).keys()];

/** The number of elements of a shape. */
export function elementCount(shape: Shape): Dimension {
  return multiplyDimensions(1, ...shape);
}
