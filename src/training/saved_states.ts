// What of a session is saved, and put back: trained parameters, moments, and gradients that are added up.
import { FormatError } from "../errors/mod.ts";
import type { StoredWeight } from "../weights/mod.ts";
import { momentName, momentsOf } from "./optimizer.ts";
import type { Pending } from "./run_description.ts";
import { parameterName, type RunTensors, trainerFile } from "./trainer_file.ts";
import { gradientName, type TrainingPlan } from "./training_programs.ts";
import type { TrainingSession } from "./training_session.ts";

/** The shapes of what a run saves, by the names in its file. */
function shapesOf({ shapes, settings }: TrainingPlan, { calls }: Pending): Map<string, readonly number[]> {
  const found = new Map<string, readonly number[]>();
  for (const [name, shape] of shapes) {
    found.set(parameterName(name), shape);
    for (const moment of momentsOf(settings)) found.set(momentName(moment, name), shape);
    if (calls > 0) found.set(gradientName(name), shape);
  }
  return found;
}

/** The trained parameters by the names in the file. */
function parametersOf({ shapes }: TrainingPlan): Map<string, string> {
  return new Map([...shapes.keys()].map((name) => [parameterName(name), name]));
}

/** The tensors that a run saves. */
export function savedStates(session: TrainingSession, pending: Pending): RunTensors {
  const { plan, weights } = session;
  const shapes = shapesOf(plan, pending);
  const parameters = parametersOf(plan);
  return {
    shapes,
    read: (name) => parameters.has(name) ? weights.read(parameters.get(name)!) : session.readState(name),
  };
}

/**
 * Put back what was saved.
 *
 * @throws {FormatError} If something of it is missing, of another shape, or more than the run has.
 */
export async function restoreStates(
  session: TrainingSession,
  tensors: ReadonlyMap<string, StoredWeight>,
  pending: Pending,
): Promise<void> {
  const shapes = shapesOf(session.plan, pending);
  for (const [name, shape] of shapes) {
    const stored = tensors.get(name);
    if (stored?.dataType === "float32" && stored.shape.join() === shape.join()) continue;
    throw new FormatError(`Cannot resume: ${trainerFile} has no tensor "${name}" of the shape [${shape}]`, {
      tensor: name,
    });
  }
  const stray = [...tensors.keys()].find((name) => !shapes.has(name));
  if (stray !== undefined) {
    throw new FormatError(`Cannot resume: ${trainerFile} has a tensor "${stray}", which the run does not have`, {
      tensor: stray,
    });
  }
  const parameters = parametersOf(session.plan);
  for (const [name, stored] of tensors) {
    const parameter = parameters.get(name);
    if (parameter === undefined) await session.writeState(name, await stored.load());
    else await session.weights.write(parameter, await stored.load());
  }
}
