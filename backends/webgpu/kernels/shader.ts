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

/** A storage that a kernel binds. */
export interface KernelBinding {
  readonly storage: Storage;
  /** The type of its elements that the kernel reads and writes, or that of the texels. */
  readonly type: string;
  readonly writes: boolean;
  readonly texels?: TexelFormat;
}

/**
 * What a kernel consists of. Binding i is `buffer{i + 1}` in its text, and an access to an element is a mark, from which
 * {@linkcode withAccesses} makes WGSL.
 */
export interface KernelSource {
  readonly bindings: readonly KernelBinding[];
  /** Functions and workgroup variables. */
  readonly declarations: readonly string[];
  /** Statements for the invocation `lane` of the workgroup `group`. */
  readonly body: string;
  readonly lanes: number;
  /** Whether the invocations of a workgroup have nothing to do with each other. */
  readonly isApart: boolean;
  readonly usesSubgroups: boolean;
}

/** One kernel on its operands, ready to be bound. */
export interface Dispatch {
  readonly label: string;
  readonly code: string;
  /** What the code was put together from; undefined where there is no kernel. */
  readonly source?: KernelSource;
  readonly storages: readonly Storage[];
  /** Whether the kernel writes it, for each storage. */
  readonly writes: readonly boolean[];
  /** What texels the kernel reads it as, if it does, for each storage. */
  readonly texels: readonly (TexelFormat | undefined)[];
  /** Instead of a kernel: the first storage is copied to the second, which are texels. */
  readonly copies?: boolean;
  /** The parameters, in the order of the block. */
  readonly parameters: readonly (Dimension | Resolved)[];
  /** The workgroups along x, y and z. */
  readonly workgroups: (resolve: Resolve) => readonly [number, number, number];
  /** The iterations of an invocation's loops. */
  readonly iterations?: Resolved;
  /** The multiplications and additions of all invocations, where that is worth knowing. */
  readonly operations?: Resolved;
  /** Dispatched several times, with this parameter 0, `step`, 2 · `step`, … below `end`. */
  readonly repeat?: { readonly parameter: number; readonly step: number; readonly end: Dimension };
}

/** The mark of an access: the number of the binding, the element's index, and the value that is written there, if one is. */
const mark = /⟦(\d+)¦([^⟦⟧¦]*)(?:¦([^⟦⟧]*))?⟧/g;

/** A kernel's text with WGSL for its accesses. @param elements Those of a binding, by its index. */
export function withAccesses(text: string, elements: (binding: number) => Elements): string {
  for (;;) {
    // An index or a value may have accesses of its own: those within are replaced first.
    const replaced = text.replace(mark, (_, binding, at, value) => {
      const { load, store } = elements(Number(binding));
      return value === undefined ? load(at) : store(at, value);
    });
    if (replaced === text) return text;
    text = replaced;
  }
}

/** The declaration of a binding. */
function bindingCode({ storage, type, writes, texels }: KernelBinding, at: number): string {
  const variable = texels ? "var" : `var<storage, ${writes ? "read_write" : "read"}>`;
  const held = texels ? type : `array<${accessTo(storage, type).held}>`;
  return `@group(0) @binding(${at + 1}) ${variable} buffer${at + 1}: ${held};`;
}

/** The code of a kernel. @param block The vectors of four parameters. */
function codeOf({ bindings, declarations, body, lanes, usesSubgroups }: KernelSource, block: number): string {
  const code = [
    `@group(0) @binding(0) var<uniform> parameters: array<vec4u, ${block}>;`,
    ...bindings.map(bindingCode).toReversed(),
    ...declarations,
    `@compute @workgroup_size(${lanes})`,
    `fn main(@builtin(workgroup_id) place: vec3u, @builtin(num_workgroups) extent: vec3u,`,
    `    @builtin(local_invocation_index) lane: u32${usesSubgroups ? `,\n    ${subgroupBuiltins}` : ""}) {`,
    `  let group = place.y * extent.x + place.x;`,
    `  ${body}`,
    `}`,
  ].join("\n");
  return withAccesses(code, (i) => accessTo(bindings[i].storage, bindings[i].type).access(`buffer${i + 1}`));
}

const subgroupBuiltins =
  "@builtin(subgroup_size) subgroup_size: u32, @builtin(subgroup_invocation_id) subgroup_lane: u32";

/** What is known of a kernel's loops. */
type Loops = Pick<Dispatch, "iterations" | "operations">;

/** What a dispatch has beside its kernel. @param groups The number of workgroups. */
interface DispatchUse extends Loops, Pick<Dispatch, "label" | "parameters" | "repeat"> {
  readonly groups: Resolved;
}

/** Put a kernel together. */
export function dispatchOf(source: KernelSource, { groups, ...use }: DispatchUse): Dispatch {
  const { bindings } = source;
  return {
    ...use,
    code: codeOf(source, Math.max(1, Math.ceil(use.parameters.length / 4))),
    source,
    storages: bindings.map(({ storage }) => storage),
    writes: bindings.map(({ writes }) => writes),
    texels: bindings.map(({ texels }) => texels),
    workgroups: (resolve) => {
      const count = groups(resolve);
      const x = Math.min(count, maxWorkgroups);
      return [x, x === 0 ? 0 : Math.ceil(count / x), 1];
    },
  };
}

/** Builds a dispatch. */
export class Shader {
  readonly #parameters: Dimension[] = [];
  readonly #bindings: KernelBinding[] = [];
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
    const type = `texture_storage_2d<${format}, read>`;
    const name = `buffer${this.#bindings.push({ storage, type, writes: false, texels: format })}`;
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
    return this.#finish(
      `let index = group * ${lanes}u + lane;\n  if (index >= ${total}) { return; }\n  ${body}`,
      (resolve) => Math.ceil(resolve(count) / lanes),
      { lanes, isApart: true },
      options,
    );
  }

  /** Finish with a number of workgroups, whose index is `group`; an invocation's index in its workgroup is `lane`. */
  groups(body: string, count: Resolved, lanes: number, loops: Loops = {}): Dispatch {
    return this.#finish(body, count, { lanes, isApart: false }, loops);
  }

  #finish(body: string, groups: Resolved, shape: Pick<KernelSource, "lanes" | "isApart">, loops: Loops): Dispatch {
    const source = {
      ...shape,
      bindings: this.#bindings,
      declarations: this.#declarations,
      body,
      usesSubgroups: this.#subgroups,
    };
    return dispatchOf(source, {
      ...loops,
      label: this.label,
      parameters: this.#parameters,
      groups,
      repeat: this.#repeat,
    });
  }

  #bind(storage: Storage, type: string, writes: boolean): Elements {
    const at = this.#bindings.push({ storage, type, writes }) - 1;
    return { load: (index) => `⟦${at}¦${index}⟧`, store: (index, value) => `⟦${at}¦${index}¦${value}⟧` };
  }
}

/** The numbers from 0 to n − 1. */
export const upTo = (n: number): number[] => [...Array(n).keys()];

/** The number of elements of a shape. */
export function elementCount(shape: Shape): Dimension {
  return multiplyDimensions(1, ...shape);
}
