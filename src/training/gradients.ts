// Gradients outside a backend: given by one process, averaged, and applied by others.
import { ShapeError } from "../errors/mod.ts";
import type { Tensor } from "../tensor/mod.ts";

/** Gradients by checkpoint name, float32. */
export class Gradients extends Map<string, Tensor> {
  /** Keep gradients by the names of their parameters. @param labels The number of labels they are a mean over. */
  constructor(entries: Iterable<readonly [string, Tensor]>, readonly labels: number) {
    super(entries);
  }
}

/**
 * Check that there is a gradient for each trained parameter, and no other.
 *
 * @param shapes The trained parameters.
 * @throws {ShapeError} If one is missing, is unknown, or has another shape than its parameter.
 */
export function checkGradients(
  gradients: ReadonlyMap<string, Tensor>,
  shapes: ReadonlyMap<string, readonly number[]>,
): void {
  for (const name of gradients.keys()) {
    if (!shapes.has(name)) throw new ShapeError(`Cannot apply the gradient of "${name}": it is not trained`);
  }
  for (const [name, shape] of shapes) {
    const gradient = gradients.get(name);
    if (gradient?.dataType === "float32" && gradient.shape.join() === shape.join()) continue;
    const found = gradient ? `${gradient.dataType} [${gradient.shape.join(", ")}]` : "missing";
    throw new ShapeError(
      `Cannot apply the gradient of "${name}": it is ${found}, expected float32 [${shape.join(", ")}]`,
    );
  }
}
