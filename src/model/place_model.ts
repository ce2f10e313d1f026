// A model put on its backend, which is loaded while its files are read.
import { loadBackend } from "../../backends/load_backend.ts";
import { ModelRunner } from "../generation/mod.ts";
import type { Backend, BackendName } from "../graph/mod.ts";
import type { Architecture, ModelParameters } from "../models/mod.ts";
import type { LoadOptions } from "./load_options.ts";
import { watchReading } from "./load_progress.ts";
import type { ModelDefinition } from "./model_definition.ts";

/** A model on a backend. */
export interface PlacedModel extends ModelDefinition {
  readonly runner: ModelRunner;
}

/**
 * Load a backend and put a model on it; after a failure nothing of either is left.
 *
 * @param read Reads the model's files, while the backend is being loaded.
 */
export async function placeModel(
  read: (backend: Promise<Backend>) => Promise<ModelDefinition>,
  options: LoadOptions,
): Promise<PlacedModel> {
  options.signal?.throwIfAborted();
  const given = typeof options.backend === "object" ? options.backend : undefined;
  const loading = given ? Promise.resolve(given) : loadBackend(options.backend as BackendName | "auto", options);
  loading.catch(() => {});
  let backend: Backend | undefined;
  try {
    const definition = await read(loading);
    backend = await loading;
    options.signal?.throwIfAborted();
    const finish = watchReading(definition.parameters, options.onProgress);
    const runner = await createRunner(definition.architecture, backend, definition.parameters, options);
    finish();
    return { ...definition, runner };
  } catch (error) {
    if (!given) await (backend ?? await loading.catch(() => undefined))?.[Symbol.asyncDispose]();
    throw error;
  }
}

/** Put parameters on a backend that is there. */
export function createRunner(
  architecture: Architecture,
  backend: Backend,
  { source }: ModelParameters,
  { dtype, lowMemory, signal }: LoadOptions,
): Promise<ModelRunner> {
  return ModelRunner.create(architecture, backend, source, { storage: dtype, lowMemory, signal });
}
