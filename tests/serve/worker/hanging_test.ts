// A worker whose device hangs: it is ended after a limit, what it had fails with the reason, and another takes its place.
import { assertEquals, assertRejects } from "@std/assert";
import { OptionError, Tensor } from "../../../mod.ts";
import { BackendError } from "../../../src/errors/mod.ts";
import { Metrics } from "../../../src/serve/metrics.ts";
import { createWorkerHandler } from "../../../src/serve/mod.ts";
import { WorkerScheduler } from "../../../src/serve/worker/worker_scheduler.ts";

const modelWorker = new URL("../../../src/serve/worker/model_worker.ts", import.meta.url);
const hangingWorker = new URL("./hanging_worker.ts", import.meta.url);
const model = new URL("../../fixtures/models/vit_gpt2_captioning/", import.meta.url).href;

/** A scheduler whose workers are these, in turn. */
function schedulerOf(hangTimeout: number, ...workers: URL[]): WorkerScheduler {
  const options = { slots: 2, maxWaiting: 8, metrics: new Metrics(), hangTimeout };
  return new WorkerScheduler(
    model,
    { backend: "wasm" },
    options,
    () => new Worker(workers.shift()!, { type: "module" }),
  );
}

const job = (signal = new AbortController().signal) => ({
  pixelValues: new Tensor("float32", [1, 3, 32, 32], new Float32Array(3 * 32 * 32)),
  options: { maxNewTokens: 4 },
  caller: "test",
  signal,
});

Deno.test("a worker that hangs is ended after a limit, and another takes its place", async () => {
  // The other must have loaded the model within the limit too, on a busy machine as well.
  await using scheduler = schedulerOf(15_000, hangingWorker, modelWorker);
  assertEquals((await scheduler.opened).device, "none");
  // A job that is given up is not answered either: it counts as work.
  const stop = new AbortController();
  const given = scheduler.run(job(stop.signal));
  stop.abort();
  await assertRejects(() => given);
  const message =
    "the model's worker has said nothing for 15 s while it had work, as where a GPU hangs: it was ended, and another";
  await assertRejects(() => scheduler.run(job()), BackendError, message);
  assertEquals(scheduler.ready, false, "the other worker was waited for");
  const { output } = await scheduler.run(job());
  assertEquals(output.lengths.length, 1);
  while (!scheduler.ready) await new Promise((resume) => setTimeout(resume, 10));
});

const silent = new URL(`data:text/javascript,${encodeURIComponent("self.onmessage = () => {};")}`);

Deno.test("a worker that takes the place of another and hangs too is the last", async () => {
  const scheduler = schedulerOf(200, hangingWorker, silent);
  await scheduler.opened;
  await assertRejects(() => scheduler.run(job()), BackendError, "and another is started");
  await assertRejects(() => scheduler.run(job()), BackendError, "it was ended");
  await assertRejects(() => scheduler.run(job()), BackendError, "it was ended");
  await scheduler[Symbol.asyncDispose]();
});

Deno.test("a first opening is waited for, as it may have much to fetch; an end is not", async () => {
  const scheduler = schedulerOf(100, silent);
  const opened = scheduler.opened.then(() => "opened", () => "failed");
  assertEquals(await Promise.race([opened, new Promise((resume) => setTimeout(resume, 500, "loading"))]), "loading");
  await scheduler[Symbol.asyncDispose]();
  assertEquals(await opened, "failed");
});

Deno.test("createWorkerHandler() refuses a hangTimeout that is no number of milliseconds", async () => {
  await assertRejects(() => createWorkerHandler(undefined, { hangTimeout: 0 }), OptionError, "hangTimeout = 0");
});
