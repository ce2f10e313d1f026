// Loading a captioner as the command's options say, with what a person sees of it.
import { Captioner } from "../captioner/captioner.ts";
import type { CaptionerLoadOptions } from "../captioner/caption_options.ts";
import type { Console } from "./console.ts";
import { Downloads } from "./downloads.ts";
import type { ReadingOptions } from "./options.ts";
import type { Progress } from "./progress.ts";
import { partsOf } from "../model/vision_encoder_decoder_model.ts";
import { quietenDrivers } from "./quiet_drivers.ts";
import type { StartedBackend } from "./start_backend.ts";
import { readTokenFile } from "./token_file.ts";

/** Where loading is shown, and what comes after it. */
export interface Loading {
  readonly console: Console;
  readonly progress: Progress;
  /** Whether threads may spin while they wait; not where other work goes on beside the model's, such as decoding. */
  readonly spinning: boolean;
  /** The backend, where its loading has begun; it is not the model's to release. */
  readonly started?: StartedBackend;
}

/**
 * Load a captioner; with `--verbose` say what runs and how long it took.
 *
 * @throws {LimnerError} As `Captioner.load` does.
 */
export async function loadCaptioner(
  options: ReadingOptions,
  { console, progress, spinning, started }: Loading,
): Promise<Captioner> {
  const began = performance.now();
  let choice: string | undefined;
  const captioner = await whileLoading(options, { console, progress, spinning }, (load) => {
    const chosen = { onChoice: (reason: string) => choice = reason, ...(started && { backend: started.loading }) };
    return Captioner.load(options.model, { ...load, ...chosen });
  });
  if (options.verbose) {
    const { backend } = captioner.model;
    const taken = Math.round(10 * (performance.now() - began)) / 10;
    const { describeLoading } = await import("./describe_loading.ts");
    progress.above(() => {
      console.say(`device: ${backend.name}, ${backend.device}`);
      choice ??= started?.choice;
      if (choice !== undefined) console.say(`auto: ${choice}`);
      if (options.dtype === "float16") {
        const beside = partsOf(captioner.model).core.runner.cacheType === "float16"
          ? "caches and values under way"
          : "nothing else here";
        console.say(`float16: weights, ${beside}`);
      }
      console.say(`load: ${taken} ms`);
      for (const line of describeLoading(captioner.model)) console.say(line);
    });
  }
  return captioner;
}

/** Load something with the command's options; how it gets on is shown. */
export async function whileLoading<T>(
  options: ReadingOptions,
  { console, progress, spinning }: Loading,
  load: (options: CaptionerLoadOptions & { readonly backend: ReadingOptions["backend"] }) => Promise<T>,
): Promise<T> {
  quietenDrivers();
  const downloads = new Downloads(Deno.stderr.isTerminal(), (line) => console.say(line));
  try {
    return await load({
      ...{ backend: options.backend, dtype: options.dtype, lowMemory: options.lowMemory, device: options.device },
      ...{ tokenizer: options.tokenizer, processor: options.processor },
      ...{ maxPixels: options.maxPixels, revision: options.revision, localFilesOnly: options.offline || undefined },
      token: await readTokenFile(options.tokenFile),
      spinning,
      onProgress: ({ stage, file, done, total }) => {
        if (stage === "downloading") downloads.show(file!, done, total);
        else if (!downloads.areDrawn) progress.show(stage, total ? done : 0, total ?? 1);
      },
    });
  } finally {
    downloads.stop();
  }
}
