// Tied parameters as Transformers 5 ties them: by the configuration, unless a file holds both and they differ, as after a
// head was replaced and trained apart.
import { type Tensor, toFloat32 } from "../../tensor/mod.ts";
import type { StoredWeight } from "../../weights/mod.ts";
import type { Architecture } from "../vision_encoder_decoder.ts";

/** Looks for a parameter's value. */
export type Find = (name: string) => StoredWeight | undefined;

/**
 * Untie what a file holds apart.
 *
 * @param find Looks for a parameter in the file.
 * @returns The architecture, with those ties of which the file does not hold both sides with different values.
 */
export async function untieDifferent(architecture: Architecture, find: Find): Promise<Architecture> {
  const ties = new Map<string, string>();
  for (const [name, kept] of architecture.ties) {
    const [own, other] = [find(name), find(kept)];
    if (!own || !other || await equal(own, other)) ties.set(name, kept);
  }
  return ties.size === architecture.ties.size ? architecture : { ...architecture, ties };
}

/** Looks for a parameter under its own name, then under those that are tied to it: a file may hold any of them. */
export function findTied({ ties }: Architecture, find: Find): Find {
  return (name) => {
    const found = find(name);
    if (found) return found;
    for (const [other, kept] of ties) {
      const same = kept === name ? find(other) : undefined;
      if (same) return same;
    }
  };
}

async function equal(a: StoredWeight, b: StoredWeight): Promise<boolean> {
  if (a === b) return true; // one storage under two names, as torch.save writes what is tied
  if (a.shape.join() !== b.shape.join()) return false;
  const [x, y] = [numbersOf(await a.load()), numbersOf(await b.load())];
  for (let i = 0; i < x.length; i++) if (x[i] !== y[i]) return false;
  return true;
}

function numbersOf({ dataType, data }: Tensor): Float32Array {
  return toFloat32(dataType, data);
}
