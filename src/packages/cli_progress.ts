// cli-progress: bars on a terminal. It comes without types.

/** A bar. */
export interface Bar {
  start(total: number, value: number, payload: { stage: string }): void;
  setTotal(total: number): void;
  update(value: number, payload: { stage: string }): void;
  stop(): void;
}

/** A bar of several. */
export interface PartBar {
  update(value: number, payload: Readonly<Record<string, string>>): void;
}

/** Several bars, one below the other. */
export interface MultiBar {
  create(total: number, value: number, payload: Readonly<Record<string, string>>): PartBar;
  stop(): void;
}

/** Load the class of several bars. */
export async function loadMultiBar(): Promise<new (options: Readonly<Record<string, unknown>>) => MultiBar> {
  return (await import("npm:cli-progress@3.12.0")).default.MultiBar;
}

/** Load the bar's class. */
export async function loadBar(): Promise<new (options: Readonly<Record<string, unknown>>) => Bar> {
  return (await import("npm:cli-progress@3.12.0")).default.SingleBar;
}
