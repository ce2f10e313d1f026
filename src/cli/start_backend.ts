// The backend of a command that reads pictures, whose loading begins before the modules that read them are there: it goes on in
// threads of its own while they are evaluated.
import { loadBackend, mayHaveGpu } from "../../backends/load_backend.ts";
import { whileShort } from "../async/delay.ts";
import type { Backend } from "../graph/mod.ts";
import type { CommandOptions } from "./options.ts";
import { quietenDrivers } from "./quiet_drivers.ts";

/**
 * For how long other imports are held back, which a backend's own would wait for, in milliseconds: a library is open sooner where
 * it need not be fetched.
 */
const patience = 60;

/** A backend that is being loaded, and is to be released, and why it was taken. */
export interface StartedBackend extends AsyncDisposable {
  readonly loading: Promise<Backend>;
  /** Why "auto" took it, once it is there. */
  readonly choice: string | undefined;
}

/**
 * Begin to load a backend.
 *
 * @returns The backend; undefined where it is to be chosen by the model.
 */
export async function startBackend(options: CommandOptions): Promise<StartedBackend | undefined> {
  const { backend, device, pictures } = options;
  if (backend === "auto" && device === undefined && await mayHaveGpu()) return undefined;
  quietenDrivers();
  let choice: string | undefined;
  const loading = loadBackend(backend, {
    device,
    spinning: pictures.length === 1,
    // What "auto" says of its choice is that there is no GPU; so the model's work is not asked for.
    work: () => Promise.reject(new Error("there is a GPU after all")),
    onChoice: (reason) => choice = reason,
  });
  loading.catch(() => {}); // whoever loads the model finds out
  await whileShort(loading, patience);
  return {
    loading,
    get choice() {
      return choice;
    },
    async [Symbol.asyncDispose]() {
      await (await loading.catch(() => undefined))?.[Symbol.asyncDispose]();
    },
  };
}
