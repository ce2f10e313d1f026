// How kernels reach the elements of a storage. Think of a kernel as computing in numbers of 32 bits wherever its operands lie: what is
// held as float16 is widened as it is read and rounded as it is written, by code that is generated here, so that no kernel knows.
import { float16Of, type Storage } from "../program/view.ts";

/** The largest float16. */
const largest = "65504.0";

/** How a kernel reads and writes the elements of a storage that it binds. */
export interface Elements {
  /** The element (or vector) at an index: expressions. */
  readonly load: (at: string) => string;
  /** A statement that writes the element (or vector) at an index. */
  readonly store: (at: string, value: string) => string;
}

/** A type that kernels read and write elements of 16 bits as. */
interface Widened {
  readonly held: string;
  /** The elements as numbers of 32 bits. */
  readonly float: "f32" | "vec4f";
  /** Whether they are read and written as the bits of those. */
  readonly bits?: string;
}

const widened: Readonly<Record<string, Widened>> = {
  "f32": { held: "f16", float: "f32" },
  "u32": { held: "f16", float: "f32", bits: "u32" },
  "vec4f": { held: "vec4<f16>", float: "vec4f" },
  "vec4<f32>": { held: "vec4<f16>", float: "vec4f" },
  "vec4<u32>": { held: "vec4<f16>", float: "vec4f", bits: "vec4<u32>" },
};

/**
 * The type that a storage holds elements in, and access to them.
 *
 * @param type The type that the kernel reads and writes.
 * @returns `access` takes the name of the storage's variable.
 */
export function accessTo(storage: Storage, type: string): { held: string; access: (name: string) => Elements } {
  const float16 = float16Of(storage);
  if (!float16) {
    return {
      held: type,
      access: (name) => ({ load: (at) => `${name}[${at}]`, store: (at, value) => `${name}[${at}] = ${value}` }),
    };
  }
  if (!Object.hasOwn(widened, type)) throw new Error(`no kernel reads float16 as ${type}`);
  const { held, float, bits } = widened[type];
  const rounded = (value: string) =>
    float16 === "saturated"
      ? `${held}(clamp(${value}, ${float}(-${largest}), ${float}(${largest})))`
      : `${held}(${value})`;
  return {
    held,
    access: (name) => ({
      load: (at) => bits ? `bitcast<${bits}>(${float}(${name}[${at}]))` : `${float}(${name}[${at}])`,
      store: (at, value) => `${name}[${at}] = ${rounded(bits ? `bitcast<${float}>(${value})` : value)}`,
    }),
  };
}
