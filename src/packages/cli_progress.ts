// cli-progress: bars on a terminal. It comes without types.

/** A bar. */
export interface Bar {
  start(total: number, value: number, payload: { stage: string }): void;
  setTotal(total: number): void;
  update(value: number, payload: { stage: string }): void;
  stop(): void;
}

/** Load the bar's class. */
export async function loadBar(): Promise<new (options: Readonly<Record<string, unknown>>) => Bar> {
  return (await import("npm:cli-progress@3.12.0")).default.SingleBar;
}
