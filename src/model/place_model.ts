// A model put on its backend, which is loaded while its files are read.
import { whileShort } from "../async/delay.ts";
import { loadBackend } from "../../backends/load_backend.ts";
import { OptionError } from "../errors/mod.ts";
import { ModelRunner } from "../generation/mod.ts";
import type { Backend, BackendName } from "../graph/mod.ts";
import type { Architecture, ModelParameters } from "../models/mod.ts";
import { decodedWeight, type StoredWeight } from "../weights/mod.ts";
import type { LoadOptions } from "./load_options.ts";
import { watchReading } from "./load_progress.ts";
import type { ModelDefinition, ReadsDefinition } from "./model_definition.ts";

/**
 * How long reading waits for the backend, in ms: one that is here is opened sooner, and goes on in threads of its own while the
 * files are read, which keeps this one busy; a library may have to be fetched.
 */
const patience = 100;

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
  read: ReadsDefinition,
  options: LoadOptions,
): Promise<PlacedModel> {
  options.signal?.throwIfAborted();
  const given = typeof options.backend === "object" ? options.backend : undefined;
  const known = Promise.withResolvers<Architecture>();
  known.promise.catch(() => {});
  const asked = Promise.withResolvers<void>();
  const work = async () => {
    asked.resolve();
    const { workOf } = await import("../models/model_work.ts");
    return workOf(await known.promise, options.dtype);
  };
  const loading = given
    ? Promise.resolve(given)
    : loadBackend(options.backend as BackendName | "auto", { ...options, work });
  loading.catch(() => {});
  let backend: Backend | undefined;
  try {
    await whileShort(Promise.race([loading, asked.promise]), patience);
    const definition = await read({ loading, choose: known.resolve });
    known.resolve(definition.architecture);
    backend = await loading;
    options.signal?.throwIfAborted();
    const { architecture, parameters } = definition;
    await holdAs(options.dtype, architecture, parameters);
    // What a backend reads is watched from outside of quantisation, whose workers read files by themselves.
    const finish = watchReading(parameters, options.onProgress);
    const runner = await startRunner(architecture, backend, parameters, options);
    finish();
    return { ...definition, runner };
  } catch (error) {
    known.reject(error);
    if (!given) await (backend ?? await loading.catch(() => undefined))?.[Symbol.asyncDispose]();
    throw error;
  }
}

/**
 * Put parameters on a backend that is there, in as few bits as is asked for.
 *
 * @throws {OptionError} If they are in other bits already than is asked for.
 * @throws {BackendError} If the backend cannot hold them so.
 */
export async function createRunner(
  architecture: Architecture,
  backend: Backend,
  parameters: ModelParameters,
  options: LoadOptions,
): Promise<ModelRunner> {
  await holdAs(options.dtype, architecture, parameters);
  return await startRunner(architecture, backend, parameters, options);
}

function startRunner(
  architecture: Architecture,
  backend: Backend,
  parameters: ModelParameters,
  { dtype, lowMemory, signal }: LoadOptions,
): Promise<ModelRunner> {
  const storage = dtype ?? parameters.storage;
  return ModelRunner.create(architecture, backend, parameters.source, { storage, lowMemory, signal });
}

/** Have parameters read in as many bits as is asked for. */
async function holdAs(
  dtype: LoadOptions["dtype"],
  architecture: Architecture,
  parameters: ModelParameters,
): Promise<void> {
  // As they are: what was trained of a model of few bits before it was saved stays in float32.
  if (dtype === undefined || dtype === "float16") return;
  const [saved, storage] = [parameters.storage, dtype];
  if (storage === "float32") {
    if (saved === storage) return;
    parameters.watch((_, stored) => stored.blocks ? decodedWeight(stored) : stored);
    return;
  }
  if (saved !== "float32" && saved !== storage) {
    throw new OptionError(
      `Cannot load with the option "dtype": it is "${storage}", but the model was saved as ${saved}; load it as ` +
        `"${saved}" or "float32", or quantise the model that it was made of`,
    );
  }
  const { Quantizer } = await import("../weights/quantized_weight.ts");
  const { quantizedParameters } = await import("../models/quantization.ts");
  const quantizer = new Quantizer();
  const encodings = quantizedParameters(architecture, storage);
  const made = new Map<StoredWeight, StoredWeight>();
  parameters.watch((name, stored) => {
    const encoding = encodings.get(name);
    if (!encoding || stored.blocks) return stored;
    const quantized = made.get(stored) ?? quantizer.quantized(name, stored, encoding);
    made.set(stored, quantized);
    return quantized;
  });
}
