// A generation under way, as a state: it is asked for a step by whoever holds the session, takes what the step decided, and
// says when nothing is left to decide.
import type { GenerateOutput } from "./generate_output.ts";

/** A search for texts, one step after another. */
export interface Search {
  /** Whether no step is left to take. */
  readonly ended: boolean;
  /** Take a step, or as many as the device takes between two reads. */
  step(): Promise<void>;
  /** What was found, once it has ended. */
  finish(): Promise<GenerateOutput>;
}
