// The command's work: load a model, read each picture in the order given, say what went wrong, count it.
import { Captioner } from "../captioner.ts";
import { LimnerError } from "../errors.ts";
import type { Timings } from "../generation/mod.ts";
import { type RawImage, readImage } from "../image/mod.ts";
import { type Console, oneLine } from "./console.ts";
import type { CommandOptions } from "./options.ts";
import { Progress } from "./progress.ts";

/**
 * Read all pictures and print their texts.
 *
 * @returns The exit code: 0 if all pictures were read, 1 if some were not.
 */
export async function readPictures(options: CommandOptions, console: Console): Promise<number> {
  const progress = new Progress(Deno.stderr.isTerminal());
  // The first picture is decoded while the model loads.
  const first = open(options.pictures[0]);
  first.catch(() => {});
  try {
    await using captioner = await load(options, console, progress);
    return await readAll(captioner, first, options, console, progress);
  } catch (error) {
    progress.above(() => console.complain(describe(error)));
    return 1;
  } finally {
    progress.stop();
  }
}

async function load(options: CommandOptions, console: Console, progress: Progress): Promise<Captioner> {
  const began = performance.now();
  quietenDrivers();
  const captioner = await Captioner.load(options.model, {
    backend: options.backend,
    onProgress: ({ stage, done, total }) => progress.show(stage, total ? done : 0, total ?? 1),
  });
  if (options.verbose) {
    const { backend } = captioner.model;
    const taken = milliseconds(performance.now() - began);
    progress.above(() => {
      console.say(`device: ${backend.name}, ${backend.device}`);
      console.say(`load: ${taken} ms`);
    });
  }
  return captioner;
}

async function readAll(
  captioner: Captioner,
  first: Promise<RawImage>,
  options: CommandOptions,
  console: Console,
  progress: Progress,
): Promise<number> {
  const { pictures } = options;
  let failures = 0;
  for (const [i, file] of pictures.entries()) {
    progress.show("reading", i, pictures.length);
    let reading: Reading;
    try {
      reading = await readOne(captioner, i === 0 ? first : open(file), options, (piece) => {
        progress.stop();
        console.print(piece);
      });
    } catch (error) {
      failures++;
      const message = describe(error);
      const named = message.includes(nameOf(file)) ? message : `Could not read ${nameOf(file)}: ${message}`;
      progress.above(() => console.complain(named));
      continue;
    }
    const rest = options.stream ? "" : format(file, reading, options);
    progress.above(() => console.print(rest + "\n"));
    if (console.closed) break;
    if (options.verbose) {
      progress.above(() => console.say(`${nameOf(file)}: ${reading.milliseconds} ms, ${reading.timings}`));
    }
  }
  return failures > 0 ? 1 : 0;
}

interface Reading {
  readonly text: string;
  readonly milliseconds: number;
  readonly timings: string;
}

async function readOne(
  captioner: Captioner,
  image: Promise<RawImage>,
  options: CommandOptions,
  print: (piece: string) => void,
): Promise<Reading> {
  const began = performance.now();
  let timings = "";
  const onTimings = ({ encode, decode, tokens }: Timings): void => {
    const each = milliseconds(decode / Math.max(1, tokens));
    timings = `encode ${milliseconds(encode)} ms, decode ${tokens} tokens, ${each} ms/token`;
  };
  const asked = {
    maxNewTokens: options.maxNewTokens,
    numBeams: options.beams,
    ...(options.sample ? { doSample: true, seed: options.seed } : {}),
    ...(options.verbose ? { onTimings } : {}),
  };
  let text = "";
  if (options.stream) {
    for await (const piece of captioner.stream(await image, { ...asked, numBeams: options.beams ?? 1 })) {
      print(options.pictures.length > 1 ? piece.replace(/[\r\n\u2028\u2029]+/g, " ") : piece);
      text += piece;
    }
  } else text = await captioner.caption(await image, asked);
  return { text, milliseconds: milliseconds(performance.now() - began), timings };
}

function format(file: string, { text, milliseconds }: Reading, { json, pictures }: CommandOptions): string {
  if (json) return JSON.stringify({ file, text, milliseconds });
  return pictures.length > 1 ? oneLine(text) : text;
}

// Linux's graphics libraries complain on standard error where no runtime folder is named, though none is needed.
function quietenDrivers(): void {
  const variable = "XDG_RUNTIME_DIR";
  if (Deno.build.os !== "linux" || Deno.permissions.querySync({ name: "env", variable }).state !== "granted") return;
  if (!Deno.env.get(variable)) Deno.env.set(variable, "/tmp");
}

async function open(file: string): Promise<RawImage> {
  if (file !== "-") return await readImage(file);
  return await readImage(Deno.stdin.readable, { name: nameOf(file) });
}

function nameOf(file: string): string {
  return file === "-" ? "standard input" : file;
}

// An error that is not Limner's own is a fault of the program; its name helps to report it.
function describe(error: unknown): string {
  if (error instanceof LimnerError) return error.message;
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}

function milliseconds(value: number): number {
  return Math.round(value * 10) / 10;
}
