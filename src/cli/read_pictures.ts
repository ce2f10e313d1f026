// The command's work: load a model, read each picture in the order given, say what went wrong, count it.
import type { Caption, CaptionOptions } from "../captioner/caption_options.ts";
import type { Captioner } from "../captioner/captioner.ts";
import type { Timings } from "../generation/mod.ts";
import { ImageWorkers } from "../image/image_workers.ts";
import type { RawImage } from "../image/mod.ts";
import { type Picture, PictureReader } from "../image/picture_reader.ts";
import { captionFields, requestOf } from "./caption_request.ts";
import { type Console, oneLine, OutputError } from "./console.ts";
import { describe, exitCodeOf } from "./exit_code.ts";
import { loadCaptioner } from "./load_captioner.ts";
import type { CommandOptions } from "./options.ts";
import { Progress } from "./progress.ts";
import type { StartedBackend } from "./start_backend.ts";

/**
 * Read all pictures and print their texts.
 *
 * @param started The backend, where its loading has begun.
 * @returns The exit code: 0 if all pictures were read, 1 if some were not; where there is no model, why.
 */
export async function readPictures(
  options: CommandOptions,
  console: Console,
  started?: StartedBackend,
): Promise<number> {
  const progress = new Progress(Deno.stderr.isTerminal());
  const { attention, pictures } = options;
  try {
    if (attention) {
      const { checkSheets, sheetFiles } = await import("./attention_sheets.ts");
      await checkSheets(sheetFiles(attention, pictures.length), pictures);
    }
  } catch (error) {
    console.complain(describe(error));
    return 1;
  }
  using workers = new ImageWorkers();
  // The first picture is decoded while the model loads.
  const reader = new PictureReader(pictures.map(pictureOf), workers, {
    ahead: 1,
    maxPixels: options.maxPixels,
    page: options.page,
    allowPrivateAddresses: options.allowPrivate,
  });
  try {
    await using captioner = await loadCaptioner(options, {
      console,
      progress,
      spinning: options.pictures.length === 1,
      started,
    });
    const request = requestOf(captioner, options);
    // Where the model looked is drawn on the whole picture.
    reader.readAhead(workers.most + 1, attention ? undefined : captioner.processor.settings);
    return await readAll(captioner, reader, { options, request }, console, progress);
  } catch (error) {
    progress.above(() => console.complain(describe(error)));
    return exitCodeOf(error);
  } finally {
    progress.stop();
  }
}

/** What is asked of the command, and of the captioner for each picture. */
interface Asked {
  readonly options: CommandOptions;
  readonly request: CaptionOptions;
}

async function readAll(
  captioner: Captioner,
  reader: PictureReader,
  { options, request }: Asked,
  console: Console,
  progress: Progress,
): Promise<number> {
  const { pictures } = options;
  const drawing = options.attention === undefined ? undefined : await import("./attention_sheets.ts");
  const sheets = drawing ? drawing.sheetFiles(options.attention!, pictures.length) : [];
  let failures = 0;
  for (const [i, file] of pictures.entries()) {
    progress.show("reading", i, pictures.length);
    const asked = { options, request: { ...request, firstPicture: i } };
    try {
      const reading = await readOne(captioner, reader, asked, (piece) => {
        progress.stop();
        console.print(piece);
      });
      const rest = options.stream ? "" : await format(file, reading, options, sheets[i], captioner);
      progress.above(() => console.print(rest + "\n"));
      if (console.closed) break;
      if (options.verbose) progress.above(() => console.say(`${nameOf(file)}: ${timesOf(reading)}`));
      if (drawing) await drawing.writeSheet(sheets[i], reading.caption.attention!);
    } catch (error) {
      if (error instanceof OutputError) throw error;
      failures++;
      const message = describe(error);
      const named = [nameOf(file), sheets[i]].some((name) => name && message.includes(name));
      progress.above(() => console.complain(named ? message : `Cannot read ${nameOf(file)}: ${message}`));
    }
  }
  return failures > 0 ? 1 : 0;
}

interface Reading {
  readonly caption: Caption;
  readonly milliseconds: number;
  /** Unknown unless they were asked for. */
  readonly timings: Timings | undefined;
}

async function readOne(
  captioner: Captioner,
  reader: PictureReader,
  { options, request }: Asked,
  print: (piece: string) => void,
): Promise<Reading> {
  const began = performance.now();
  let timings: Timings | undefined;
  const asked: CaptionOptions = {
    ...request,
    outputAttentions: options.attention !== undefined,
    ...(options.verbose && { onTimings: (measured: Timings) => timings = measured }),
  };
  const read = options.stream ? streamed : captioned;
  const [image] = await reader.take(1);
  const caption = await read(captioner, image, asked, (piece) => {
    print(options.pictures.length > 1 ? piece.replace(/[\r\n\u2028\u2029]+/g, " ") : piece);
  });
  return { caption, milliseconds: rounded(performance.now() - began), timings };
}

async function captioned(captioner: Captioner, image: RawImage, asked: CaptionOptions): Promise<Caption> {
  return (await captioner.captions(image, asked))[0];
}

async function streamed(
  captioner: Captioner,
  image: RawImage,
  asked: CaptionOptions,
  print: (piece: string) => void,
): Promise<Caption> {
  const pieces = captioner.stream(image, { ...asked, numBeams: asked.numBeams ?? 1 });
  for (;;) {
    const { done, value } = await pieces.next();
    if (done) return value;
    print(value);
  }
}

async function format(
  file: string,
  { caption, milliseconds }: Reading,
  options: CommandOptions,
  attention: string | undefined,
  captioner: Captioner,
): Promise<string> {
  const { json, pictures, minConfidence } = options;
  const fields = await captionFields(caption, options, captioner);
  if (json) return JSON.stringify({ file, ...fields, milliseconds, attention });
  if (fields.document) return JSON.stringify(fields.document);
  const marked = minConfidence === undefined
    ? caption.text
    : (await import("./mark_unsure.ts")).markUnsure(caption.text, caption.words, minConfidence);
  return pictures.length > 1 ? oneLine(marked) : marked;
}

function timesOf({ caption, milliseconds, timings }: Reading): string {
  const { encode, decode, tokens } = timings!;
  const each = rounded(decode / Math.max(1, tokens));
  return `${milliseconds} ms, encode ${rounded(encode)} ms, decode ${tokens} tokens, ${each} ms/token` +
    (caption.truncated ? ", cut by the length limit" : "");
}

function pictureOf(file: string): Picture {
  return file === "-" ? { source: Deno.stdin.readable, name: nameOf(file) } : { source: file };
}

function nameOf(file: string): string {
  return file === "-" ? "standard input" : file;
}

function rounded(value: number): number {
  return Math.round(value * 10) / 10;
}
