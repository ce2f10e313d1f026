// What the page and the worker that reads say to each other.

/** To the worker: first which model is read with, then pictures. A picture ends the reading of the one before it. */
export type Request =
  | { readonly kind: "load"; readonly model: string; readonly backend: "auto" | "webgpu" | "wasm" }
  | { readonly kind: "read"; readonly id: number; readonly picture: Blob };

/** A word, and where the model looked. */
export interface Word {
  /** The word with the blanks before it. */
  readonly text: string;
  /** How sure the model was, from 0 to 1. */
  readonly confidence: number;
  /** The share of attention on each cell, shape [rows, columns]. */
  readonly heat: Float32Array;
}

/** A text, and how it came. */
export interface Reading {
  readonly text: string;
  readonly words: readonly Word[];
  /** The cells of `heat`. */
  readonly grid: readonly [rows: number, columns: number];
  /** The height and width of a cell as shares of the picture's. */
  readonly cell: readonly [height: number, width: number];
  readonly truncated: boolean;
  readonly tokens: number;
  /** From the message to the first piece of text, and to the last, in ms. */
  readonly first: number;
  readonly last: number;
}

/** From the worker. */
export type Answer =
  | {
    readonly kind: "loading";
    readonly stage: string;
    readonly file: string;
    readonly done: number;
    readonly total?: number;
  }
  | { readonly kind: "ready"; readonly backend: string; readonly device: string; readonly milliseconds: number }
  | { readonly kind: "piece"; readonly id: number; readonly text: string }
  | { readonly kind: "read"; readonly id: number; readonly reading: Reading }
  | { readonly kind: "failed"; readonly id?: number; readonly message: string };
