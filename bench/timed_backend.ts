// A backend that counts the time spent in it, so that a bench can tell what is not the backend's.
import type { Backend } from "../mod.ts";
import type { Program, Run } from "../src/graph/mod.ts";

/** Milliseconds spent in a backend since the encoder's states were read. */
export interface Inside {
  decode: number;
}

/** @returns A backend that does as the given one, and the time spent in it. */
export function timed(real: Backend): { backend: Backend; inside: Inside } {
  const inside: Inside = { decode: 0 };
  const clock = <T>(call: () => T): T => {
    const start = performance.now();
    const result = call();
    const stop = () => inside.decode += performance.now() - start;
    if (result instanceof Promise) return result.finally(stop) as T;
    stop();
    return result;
  };
  const timedRun = (run: Run): Run => ({
    enqueue: (sizes) => clock(() => run.enqueue(sizes)),
    [Symbol.dispose]: () => run[Symbol.dispose](),
  });
  const timedProgram = (program: Program): Program => ({
    bind: (tensors, maxima) => timedRun(clock(() => program.bind(tensors, maxima))),
    [Symbol.dispose]: () => program[Symbol.dispose](),
  });
  const backend = new Proxy(real, {
    get(target, name) {
      const value = Reflect.get(target, name);
      if (typeof value !== "function") return value;
      if (name === "compile") {
        return async (...given: Parameters<Backend["compile"]>) => timedProgram(await target.compile(...given));
      }
      if (name === "read") {
        return async (...given: Parameters<Backend["read"]>) => {
          const tensor = await clock(() => target.read(...given));
          // The read that ends the encoder's time has the shape [1].
          if (given[1]?.shape?.join() === "1") inside.decode = 0;
          return tensor;
        };
      }
      return (...given: unknown[]) => clock(() => value.apply(target, given));
    },
  });
  return { backend, inside };
}
