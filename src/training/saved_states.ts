// What of a session is saved, and put back: trained parameters, moments, and gradients that are added up.
import { FormatError } from "../errors/mod.ts";
import type { StoredWeight } from "../weights/mod.ts";
import { momentName, momentsOf } from "./optimizer.ts";
import { parameterName, type Pending, type RunTensors, trainerFile } from "./trainer_file.ts";
import { gradientName, type TrainingPlan } from "./training_programs.ts";
import type { TrainingSession } from "./training_session.ts";

/** The shapes of what a run without added-up gradients saves, by the names in its file. */
function shapesOf({ shapes, settings }: TrainingPlan): Map<string, readonly number[]> {
  const found = new Map<string, readonly number[]>();
  for (const [name, shape] of shapes) {
    found.set(parameterName(name), shape);
    for (const moment of momentsOf(settings)) found.set(momentName(moment, name), shape);
  }
  return found;
}

/** The trained parameters by the names in the file. */
function parametersOf({ shapes }: TrainingPlan): Map<string, string> {
  return new Map([...shapes.keys()].map((name) => [parameterName(name), name]));
}

/** The tensors that a run saves. */
export function savedStates(session: TrainingSession, { calls }: Pending): RunTensors {
  const { plan, weights } = session;
  const shapes = shapesOf(plan);
  if (calls > 0) { for (const [name, shape] of plan.shapes) shapes.set(gradientName(name), shape); }
  const parameters = parametersOf(plan);
  return {
    shapes,
    read: (name) => parameters.has(name) ? weights.read(parameters.get(name)!) : session.readState(name),
  };
}

/**
 * Put back what was saved.
 *
 * @throws {FormatError} If something of it is missing, or of another shape.
 */
export async function restoreStates(
  session: TrainingSession,
  tensors: ReadonlyMap<string, StoredWeight>,
): Promise<void> {
  for (const [name, shape] of shapesOf(session.plan)) {
    const stored = tensors.get(name);
    if (stored?.dataType === "float32" && stored.shape.join() === shape.join()) continue;
    throw new FormatError(`Cannot resume: ${trainerFile} has no tensor "${name}" of the shape [${shape}]`, {
      tensor: name,
    });
  }
  const parameters = parametersOf(session.plan);
  for (const [name, stored] of tensors) {
    const parameter = parameters.get(name);
    if (parameter === undefined) await session.writeState(name, await stored.load());
    else await session.weights.write(parameter, await stored.load());
  }
}
