// A handler whose model is in a worker, for backends that hold the thread they compute on.
import { embeddedModel } from "../../captioner/captioner.ts";
import type { CaptionerLoadOptions } from "../../captioner/caption_options.ts";
import { OptionError } from "../../errors/mod.ts";
import { AutoImageProcessor } from "../../image/mod.ts";
import { defaultLimits, resolveLimits } from "../../limits/mod.ts";
import { openRepository } from "../../hub/mod.ts";
import { AutoTokenizer } from "../../tokenizer/mod.ts";
import { CaptionHandler, type Handler } from "../handler.ts";
import { type HandlerOptions, positive, serveSettings } from "../serve_options.ts";
import { WorkerScheduler } from "./worker_scheduler.ts";

/** How a handler with a worker is made: how the model is loaded there, and how requests are answered. */
export interface WorkerHandlerOptions extends HandlerOptions {
  /** How the captioner is loaded; its backend by name. @default as `Captioner.load` does */
  readonly load?: Omit<CaptionerLoadOptions, "signal">;
  /**
   * Milliseconds after which a worker that says nothing while it has work is ended, as its device hangs: what it had fails, and
   * another worker loads the model again. The first loading has no limit. @default 120000
   */
  readonly hangTimeout?: number;
}

/** A handler, and where its model runs. */
export interface WorkerHandler extends Handler {
  /** The backend and its device, for a person to read. */
  readonly device: string;
}

/**
 * Load a captioner in a worker, and make a server of it. Where a backend holds the thread it computes on, as `webgpu` and
 * `wasm` do, requests are still received, checked and answered meanwhile; `ffi` needs no worker.
 *
 * @param source A folder in Hugging Face's layout, its web address, or a model's name on the Hub. @default the embedded
 * model
 * @param options How it is loaded and how requests are answered. The handler owns the model: with it, it is released.
 * @throws {LimnerError} As `Captioner.load` and `createHandler` do.
 *
 * @example
 * ```ts
 * import { createWorkerHandler } from "@limner/limner/serve";
 * import { assertEquals } from "@std/assert";
 *
 * await using handler = await createWorkerHandler(undefined, { load: { backend: "wasm" } });
 * const body = await Deno.readFile("assets/examples/date.png");
 * const answer = await handler.fetch(new Request("http://localhost/caption", { method: "POST", body }));
 * assertEquals((await answer.json()).text, "2/8/2021");
 * ```
 */
export async function createWorkerHandler(
  source: string | URL = embeddedModel,
  { load = {}, hangTimeout = 120_000, ...options }: WorkerHandlerOptions = {},
): Promise<WorkerHandler> {
  const settings = serveSettings(options);
  const { tokenizer: words, processor: shape, maxPixels, allowPrivateAddresses: _, backend, ...rest } = load;
  if (typeof backend === "object") {
    throw new OptionError("Cannot load a model in a worker on a backend that is loaded already: give its name");
  }
  const { onProgress: __, ...fetching } = rest;
  const repository = await openRepository(source, fetching);
  const elsewhere = { ...fetching, revision: undefined };
  const [processor, tokenizer] = await Promise.all([
    AutoImageProcessor.fromPretrained(shape ?? repository, elsewhere),
    AutoTokenizer.fromPretrained(words ?? repository, elsewhere),
  ]);
  let scheduler: WorkerScheduler | undefined;
  const parts = {
    processor,
    tokenizer,
    maxPixels: maxPixels ?? resolveLimits(rest.limits).maxPixels ?? defaultLimits.maxPixels,
  };
  const model = { generationConfig: {} };
  const handler = new CaptionHandler(
    settings,
    (own) =>
      scheduler = new WorkerScheduler(source, { ...rest, backend }, {
        ...own,
        hangTimeout: positive("hangTimeout", hangTimeout),
      }),
    () => ({ ...parts, model }),
  );
  try {
    const { device, generationConfig } = await scheduler!.opened;
    model.generationConfig = generationConfig;
    return Object.assign(handler, { device });
  } catch (error) {
    await handler[Symbol.asyncDispose]();
    throw error;
  }
}
