// The worker that has the model, and shares it between jobs that another thread sends. Where a backend holds its thread while a device
// or a processor computes, only this thread waits.
import { VisionEncoderDecoderModel } from "../../model/vision_encoder_decoder_model.ts";
import { Tensor } from "../../tensor/mod.ts";
import { httpErrorOf } from "../http_error.ts";
import { type MetricName, Metrics } from "../metrics.ts";
import { Scheduler } from "../scheduler/scheduler.ts";
import type { SentError, WorkerAnswer, WorkerRequest } from "./messages.ts";

const scope = self as unknown as {
  onmessage: (event: MessageEvent<WorkerRequest>) => void;
  postMessage(answer: WorkerAnswer): void;
  close(): void;
};

/** Counts in the other thread: here are only the values that are asked for. */
class SentMetrics extends Metrics {
  readonly #gauges = new Map<MetricName, () => number>();
  #reporting: ReturnType<typeof setTimeout> | undefined;
  #said = "";

  override add(name: MetricName, _labels = {}, by = 1): void {
    scope.postMessage({ kind: "counted", name, by });
    this.report();
  }

  override watch(name: MetricName, read: () => number): void {
    this.#gauges.set(name, read);
  }

  /** Tell how things stand, once what happens now is over. */
  report(): void {
    this.#reporting ??= setTimeout(() => {
      this.#reporting = undefined;
      const gauges = Object.fromEntries([...this.#gauges].map(([name, read]) => [name, read()]));
      const state = { kind: "state", ready: scheduler?.ready ?? false, gauges } as const;
      const said = JSON.stringify(state);
      if (said !== this.#said) scope.postMessage(state);
      this.#said = said;
    });
  }
}

const metrics = new SentMetrics();
const running = new Map<number, AbortController>();
let model: VisionEncoderDecoderModel | undefined;
let scheduler: Scheduler | undefined;

function sentError(error: unknown): SentError {
  const { status, code, message, headers } = httpErrorOf(error);
  return { status, code, message, headers, fault: error instanceof Error ? error.message : String(error) };
}

async function open({ source, load, scheduler: options }: Extract<WorkerRequest, { kind: "open" }>): Promise<void> {
  const onProgress = (progress: { stage: "downloading" | "converting" | "reading" | "compiling"; done: number }) =>
    scope.postMessage({ kind: "loading", progress });
  model = await VisionEncoderDecoderModel.fromPretrained(source, { ...load, onProgress });
  scheduler = new Scheduler(model, { ...options, metrics });
  const { backend, generationConfig } = model;
  scope.postMessage({ kind: "opened", generationConfig, device: `${backend.name}, ${backend.device}` });
  await scheduler.prepare();
  metrics.report();
}

async function run(job: Extract<WorkerRequest, { kind: "run" }>): Promise<void> {
  const { id, shape, data, options, caller, streams } = job;
  const stop = new AbortController();
  running.set(id, stop);
  try {
    const { output, ...rest } = await scheduler!.run({
      ...{ pixelValues: new Tensor("float32", shape, data), options, caller, signal: stop.signal },
      onTokens: streams ? (tokens) => scope.postMessage({ kind: "tokens", id, tokens }) : undefined,
    });
    const { sequences, promptLengths, lengths, truncated, confidences, sequencesScores } = output;
    const sent = { sequences, promptLengths, lengths, truncated, confidences, sequencesScores };
    scope.postMessage({ kind: "done", id, result: { ...rest, output: sent } });
  } catch (error) {
    scope.postMessage({ kind: "failed", id, error: sentError(error) });
  } finally {
    running.delete(id);
    metrics.report();
  }
}

async function close(): Promise<void> {
  await scheduler?.[Symbol.asyncDispose]();
  await model?.[Symbol.asyncDispose]();
  scope.postMessage({ kind: "closed" });
  scope.close();
}

scope.onmessage = ({ data }) => {
  switch (data.kind) {
    case "open":
      return void open(data).catch((error) => scope.postMessage({ kind: "failed", error: sentError(error) }));
    case "run":
      return void run(data);
    case "abort":
      return running.get(data.id)?.abort();
    case "close":
      return void close();
  }
};
