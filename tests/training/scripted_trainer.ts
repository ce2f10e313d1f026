// A trainer without a model: it writes texts by a script and counts what is asked of it, so that what `fit` decides can be
// tested in no time.
import { defaultLimits, type GenerateOutput, type Tensor, VisionEncoderDecoderConfig } from "../../mod.ts";
import type { FittedTrainer } from "../../src/training/fit.ts";
import type { FitProgress } from "../../mod.ts";

const embedded = new URL("../../assets/model/", import.meta.url);

/** What the script says. */
export interface Script {
  /** The token that is written at each place of the first text's row, by the number of the evaluation; 2 ends. */
  readonly writes?: (evaluation: number) => number[];
  readonly losses?: (step: number) => number;
  readonly gradientAccumulation?: number;
}

/** A trainer that does as it is told. */
export class ScriptedTrainer implements FittedTrainer {
  readonly events: string[] = [];
  readonly settings: { readonly gradientAccumulation: number };
  steps = 0;
  fitProgress: FitProgress | undefined;
  #calls = 0;
  #evaluations = 0;

  private constructor(readonly model: FittedTrainer["model"], private readonly script: Script) {
    this.settings = { gradientAccumulation: script.gradientAccumulation ?? 1 };
  }

  static async create(script: Script = {}): Promise<ScriptedTrainer> {
    const config = await VisionEncoderDecoderConfig.fromPretrained(embedded);
    const generate = ({ shape: [rows] }: Tensor): Promise<GenerateOutput> => {
      const ids = script.writes?.(trainer.#evaluations++) ?? [2];
      const each = <T>(value: T): T[] => Array(rows).fill(value);
      return Promise.resolve({
        ...{
          sequences: each([2, ...ids]),
          promptLengths: each(1),
          lengths: each(ids.length + 1),
          truncated: each(false),
        },
      });
    };
    const trainer: ScriptedTrainer = new ScriptedTrainer({
      ...{ config, generate, limits: defaultLimits, generationConfig: { eos_token_id: 2 } },
    }, script);
    return trainer;
  }

  step({ labels }: { readonly labels: Tensor }) {
    const { gradientAccumulation } = this.settings;
    const updates = ++this.#calls % gradientAccumulation === 0;
    if (updates) this.steps++;
    this.events.push(`step of ${labels.shape[0]}`);
    const loss = this.script.losses?.(this.#calls) ?? 1;
    return Promise.resolve({ loss, learningRate: 0.1, ...updates && { gradNorm: 3 } });
  }

  loss() {
    return Promise.resolve({ loss: 0.5, labels: 4 });
  }

  saveModel(folder: string | URL): Promise<void> {
    this.events.push(`best ${folder} at ${this.steps}`);
    return Promise.resolve();
  }

  withAverages<T>(work: () => Promise<T>): Promise<T> {
    return work();
  }

  save(folder: string | URL): Promise<void> {
    const { epoch, batch } = this.fitProgress!;
    this.events.push(`save ${folder} at ${this.steps}: epoch ${epoch}, batch ${batch}`);
    return Promise.resolve();
  }
}
