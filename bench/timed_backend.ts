// A backend that counts the time spent in it, so that a bench can tell what is not the backend's.
import type { Backend } from "../mod.ts";
import type { Program, Stream } from "../src/graph/mod.ts";

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
  /** The object with every method timed but those that are replaced. */
  const watch = <T extends object>(target: T, replaced: Partial<T>): T =>
    new Proxy(target, {
      get(_, name) {
        const value = Reflect.get(name in replaced ? replaced : target, name);
        if (typeof value !== "function" || name in replaced) return value;
        return (...given: unknown[]) => clock(() => value.apply(target, given));
      },
    });
  const watchStream = (stream: Stream): Stream =>
    watch(stream, {
      read: async (source, options) => {
        const tensor = await clock(() => stream.read(source, options));
        // The read that ends the encoder's time has the shape [1].
        if (options?.shape?.join() === "1") inside.decode = 0;
        return tensor;
      },
    });
  const watchProgram = (program: Program): Program => ({
    bind: (tensors, maxima) => clock(() => program.bind(tensors, maxima)),
    [Symbol.dispose]: () => program[Symbol.dispose](),
  });
  const backend = watch(real, {
    compile: async (...given) => watchProgram(await real.compile(...given)),
    stream: (options) => watchStream(real.stream(options)),
  });
  return { backend, inside };
}
