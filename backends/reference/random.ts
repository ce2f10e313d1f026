// The kernel that draws; src/operators/random.ts says how.
import { type AttributesOf, leastTrue, mixFactors, mixWord, type randomPrimitives } from "../../src/operators/mod.ts";
import { allocateOutput, type Kernel } from "./kernel.ts";

/** The kernel by name. */
export const randomKernels: { [K in keyof typeof randomPrimitives]: Kernel<AttributesOf<K>> } = {
  bernoulli: ([key], { probability, stream }, context) => {
    const y = allocateOutput(context);
    const [lineKey, placeKey] = Array.from(key.data as BigInt64Array, (word) => Number(BigInt.asUintN(32, word)));
    const length = y.shape.at(-1) ?? 1;
    const least = leastTrue(probability);
    const places = Uint32Array.from({ length }, (_, place) => mixWord(place + placeKey));
    for (let line = 0, at = 0; at < y.size; line++) {
      const own = mixWord(mixWord(line + lineKey) + stream);
      for (let place = 0; place < length; place++) {
        const word = Math.imul(own ^ places[place], mixFactors[0]);
        y.data[at++] = Math.imul(word ^ (word >>> 15), mixFactors[1]) >>> 0 >= least ? 1 : 0;
      }
    }
    return [y];
  },
};
