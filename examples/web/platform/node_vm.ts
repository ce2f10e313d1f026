// node:vm in a browser, of which the library uses one thing: to stop patterns that run for years. A browser cannot stop a script
// within its thread: here they run, and who leaves the page ends them.

/** The globals of scripts. */
export type Context = Readonly<Record<string, unknown>>;

/** The same object. */
export function createContext(context: Context): Context {
  return context;
}

/** A script that calls `work()`. */
export class Script {
  /** @param code The call, which is the only script there is. */
  constructor(code: string) {
    if (code !== "work()") throw new Error(`Cannot run ${code}: a browser has no node:vm`);
  }

  /** Call the context's `work`, for as long as it takes. */
  runInContext(context: Context): void {
    (context.work as () => void)();
  }
}
