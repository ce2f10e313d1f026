// What a sequence of kernels binds: a storage that several of them access is bound once, with one type, which each kernel's
// accesses are converted to and from.
import type { Elements } from "../element_access.ts";
import type { KernelBinding } from "../shader.ts";

/** What a sequence binds at most. */
export interface SequenceLimits {
  readonly buffers: number;
  readonly texels: number;
}

/** The types of elements that can be converted to each other, as vectors of four or not. */
const types = /^(?:vec4<(f32|u32|i32)>|(f32|u32|i32)|vec4f)$/;

/** Whether elements of a type can be held as another. */
export function isConverted(type: string): boolean {
  return types.test(type);
}

/** What is bound as one. */
const keyOf = ({ storage }: KernelBinding): unknown => storage.kind === "bound" ? storage.name : storage;

/** What a sequence of kernels binds. */
export class SequenceBindings {
  readonly all: KernelBinding[] = [];
  readonly #places = new Map<unknown, number>();

  /** @param bindings Those of all kernels. */
  constructor(bindings: readonly KernelBinding[]) {
    for (const binding of bindings) this.#add(binding);
  }

  /** Whether a device can bind them. */
  fits({ buffers, texels }: SequenceLimits): boolean {
    const images = this.all.filter((binding) => binding.texels).length;
    return images <= texels && this.all.length - images <= buffers;
  }

  /** The index of what a kernel's binding is bound as. */
  indexOf(binding: KernelBinding): number {
    return this.#places.get(keyOf(binding))!;
  }

  /** How a kernel accesses the elements of its binding. */
  elementsOf(binding: KernelBinding): Elements {
    const at = this.indexOf(binding);
    return converted(`buffer${at + 1}`, kindOf(this.all[at].type), kindOf(binding.type));
  }

  #add(binding: KernelBinding): void {
    const key = keyOf(binding);
    const at = this.#places.get(key);
    if (at === undefined) {
      this.#places.set(key, this.all.push(binding) - 1);
      return;
    }
    const known = this.all[at];
    const type = known.texels ? known.type : joined(kindOf(known.type), kindOf(binding.type));
    this.all[at] = { ...known, type, writes: known.writes || binding.writes };
  }
}

/** A type of elements: its numbers, and whether there are four. */
interface Kind {
  readonly number: string;
  readonly isVector: boolean;
}

function kindOf(type: string): Kind {
  const [, vector, number] = types.exec(type)!;
  return { number: vector ?? number ?? "f32", isVector: type.startsWith("vec4") };
}

const typeOf = ({ number, isVector }: Kind): string => isVector ? `vec4<${number}>` : number;

/** The type that a storage is bound as, which two kernels access. */
function joined(a: Kind, b: Kind): string {
  return typeOf({ number: a.number === b.number ? a.number : "f32", isVector: a.isVector || b.isVector });
}

/** Access to elements of one type that are held as another. */
function converted(name: string, held: Kind, own: Kind): Elements {
  const place = (at: string) =>
    held.isVector && !own.isVector ? `${name}[(${at}) >> 2u][(${at}) & 3u]` : `${name}[${at}]`;
  const cast = (value: string, number: string) =>
    held.number === own.number ? value : `bitcast<${typeOf({ number, isVector: own.isVector })}>(${value})`;
  return {
    load: (at) => cast(place(at), own.number),
    store: (at, value) => `${place(at)} = ${cast(value, held.number)}`,
  };
}
