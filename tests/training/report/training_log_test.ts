import { assertEquals, assertRejects } from "@std/assert";
import { FormatError } from "../../../mod.ts";
import { type LogEntry, readLog, TrainingLog } from "../../../src/training/report/training_log.ts";

const step = (step: number, loss = 1 / step): LogEntry => ({
  ...{ step, epoch: step / 4, loss, learningRate: 1e-3, gradNorm: 2, seconds: 0.1 },
});
const evaluation = (step: number): LogEntry => ({
  ...{ step, epoch: step / 4, seconds: 1 },
  evaluation: { loss: 1, characterErrorRate: 0.5, wordErrorRate: 1, exactMatch: 0 },
});

async function withLog(use: (file: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "limner_log_" });
  try {
    await use(`${folder}/in/log.jsonl`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Write lines to a log that is opened at a step. */
async function write(file: string, at: number, entries: readonly LogEntry[]): Promise<readonly LogEntry[]> {
  using log = await TrainingLog.open(file, at);
  for (const entry of entries) log.write(entry);
  return log.earlier;
}

Deno.test("TrainingLog writes a line a step and a line an evaluation, and a new run begins anew", async () => {
  await withLog(async (file) => {
    assertEquals(await write(file, 0, [step(1), step(2), evaluation(2)]), []);
    const lines = (await Deno.readTextFile(file)).split("\n");
    assertEquals(JSON.parse(lines[1]), step(2));
    assertEquals([lines.length, lines[3]], [4, ""]);
    await write(file, 0, [step(1)]);
    assertEquals(await readLog(file), [step(1)]);
  });
});

Deno.test("TrainingLog drops the steps that a run takes again, and a line that was cut", async () => {
  await withLog(async (file) => {
    await write(file, 0, [step(1), step(2), evaluation(2), step(3), evaluation(3), step(4)]);
    const whole = await Deno.readTextFile(file);
    await Deno.writeTextFile(file, whole + '{"step":5,"ep');
    assertEquals(await write(file, 2, [step(3, 9)]), [step(1), step(2), evaluation(2)]);
    assertEquals(await readLog(file), [step(1), step(2), evaluation(2), step(3, 9)]);
  });
});

Deno.test("readLog() names a line that is none of a log; there is none in a file that is not there", async () => {
  await withLog(async (file) => {
    assertEquals(await readLog(file), []);
    await write(file, 0, [step(1)]);
    await Deno.writeTextFile(file, '{"a":1}\n', { append: true });
    await assertRejects(() => TrainingLog.open(file, 1), FormatError, "line 2 is no step or evaluation");
    assertEquals((await Deno.readTextFile(file)).split("\n").length, 3, "a log that cannot be read is left alone");
  });
});
