// `caption.ts --recursive FOLDER --output FILE`: the pictures of a folder, however many, each once. A log of JSON lines is
// what it goes on from; a table is made of the log when all is done.
import { pathToFileURL } from "node:url";
import { writing } from "../../errors/writing.ts";
import { toFolderPath } from "../../hub/mod.ts";
import { formatCount } from "../_units.ts";
import { requestOf } from "../caption_request.ts";
import type { Console } from "../console.ts";
import { describe, exitCodeOf } from "../exit_code.ts";
import { loadCaptioner } from "../load_captioner.ts";
import type { CommandOptions } from "../options.ts";
import { Progress } from "../progress.ts";
import { answerFields } from "./answer_fields.ts";
import { type CaptionJob, captionJobs } from "./caption_jobs.ts";
import { CaptionLog, type CaptionRow, rewriteLog, rowsOf } from "./caption_log.ts";
import { isTable, readTable, writeTable } from "./caption_table.ts";
import { FolderProgress } from "./folder_progress.ts";
import { pictureEndings, picturesIn } from "./folder_pictures.ts";

/** Milliseconds between two moments at which what was written is put on the disk. */
const flushEvery = 2000;

/**
 * Read the pictures of a folder that the output lacks.
 *
 * @returns The exit code: 0 if each picture of the output has a text, 1 if some could not be read; where there is no model,
 * why.
 */
export async function readFolder(options: CommandOptions, console: Console): Promise<number> {
  const progress = new Progress(Deno.stderr.isTerminal());
  try {
    return await read(options, console, progress);
  } catch (error) {
    progress.above(() => console.complain(describe(error)));
    return exitCodeOf(error);
  } finally {
    progress.stop();
  }
}

async function read(options: CommandOptions, console: Console, progress: Progress): Promise<number> {
  const folder = toFolderPath(options.pictures[0]);
  const output = options.output!;
  const path = isTable(output) ? `${output}.part.jsonl` : output;
  if (isTable(output)) await takeUpTable(output, path);
  let failed: number;
  {
    using log = await openLog(path, options);
    const total = await countOf(folder, log.done);
    failed = log.failed;
    if (total > 0) {
      await using captioner = await loadCaptioner(options, { console, progress, spinning: false });
      const shown = new FolderProgress({ total, earlier: log.done.size }, progress, (line) => console.say(line));
      const answers = captionJobs(captioner, jobsOf(folder, log.done), {
        request: requestOf(captioner, options),
        allowPrivateAddresses: options.allowPrivate,
      });
      let flushed = performance.now();
      for await (const answer of answers) {
        const row = { file: answer.about, ...await answerFields(answer, options, captioner) };
        log.append([row]);
        if ("error" in row) failed++;
        shown.hasRead();
        if (performance.now() - flushed < flushEvery) continue;
        await log.flush();
        flushed = performance.now();
      }
      shown.end();
    } else if (log.done.size > 0) {
      console.say(`${output} has all ${formatCount(log.done.size, "picture")} of ${folder}`);
    } else console.say(`${folder} has no picture: no file's name ends in ${pictureEndings.join(", ")}`);
    await log.flush();
    if (isTable(output)) await makeTable(output, path);
  }
  if (failed > 0) {
    console.say(`${formatCount(failed, "picture")} could not be read: ${output} says why, --retry-failed tries again`);
  }
  return failed > 0 ? 1 : 0;
}

/** Open the log; with --retry-failed without the pictures that could not be read. */
async function openLog(path: string, { retryFailed }: CommandOptions): Promise<CaptionLog> {
  const log = await CaptionLog.open(path);
  if (!retryFailed || log.failed === 0) return log;
  try {
    await rewriteLog(path, rowsIn(path, (row) => !("error" in row)));
  } finally {
    log[Symbol.dispose]();
  }
  return await CaptionLog.open(path);
}

async function* rowsIn(path: string, isKept: (row: CaptionRow) => boolean = () => true): AsyncGenerator<CaptionRow> {
  for await (const { row } of rowsOf(path)) if (isKept(row)) yield row;
}

/** Make a log of a table that is there, unless a log has begun. */
async function takeUpTable(table: string, log: string): Promise<void> {
  const isThere = (path: string) => Deno.stat(path).then(() => true, () => false);
  if (await isThere(table) && !await isThere(log)) await rewriteLog(log, readTable(table));
}

/** Make the table of a log, and remove the log. */
async function makeTable(table: string, log: string): Promise<void> {
  await writeTable(table, rowsIn(log));
  await writing(log, () => Deno.remove(log), "remove");
}

async function countOf(folder: string, done: ReadonlySet<string>): Promise<number> {
  let count = 0;
  for await (const { file } of picturesIn(folder)) if (!done.has(file)) count++;
  return count;
}

async function* jobsOf(folder: string, done: ReadonlySet<string>): AsyncGenerator<CaptionJob<string>> {
  let place = -1;
  for await (const { file, problem } of picturesIn(folder)) {
    place++;
    if (done.has(file)) continue;
    const path = `${folder}/${file}`;
    yield { about: file, place, source: problem ?? pathToFileURL(path), name: path, bytes: 0 };
  }
}
