// What the command ends with where a model cannot be had.
import { HubError, LimnerError, OptionError } from "../errors/mod.ts";

/** The exit code that an error means: 3 not found, 4 not allowed, 5 network, 2 a wrong option, 1 whatever else. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof OptionError) return 2;
  const code = error instanceof HubError ? error.code : undefined;
  return code === "not-found" ? 3 : code === "not-allowed" ? 4 : code === "network" ? 5 : 1;
}

/** An error in one line; one that is not Limner's own is a fault of the program, whose name helps to report it. */
export function describe(error: unknown): string {
  if (error instanceof LimnerError) return error.message;
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}
