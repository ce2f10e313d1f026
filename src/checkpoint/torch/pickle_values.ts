// What a pickle can hold once it is read: plain data, and what the reader's whitelist made of names and references.

/** A dictionary: keys and values in turn, as written; a later key replaces an earlier one that is equal. */
export class PickleDict {
  readonly entries: PickleValue[] = [];
}

/** A list, or a set. */
export class PickleList {
  readonly items: PickleValue[] = [];
}

/** A name on the whitelist. */
export class PickleGlobal {
  /**
   * @param name Its dotted name in Python.
   * @param call Our own function that stands for calling it; undefined if it may only be named.
   */
  constructor(readonly name: string, readonly call?: (args: readonly PickleValue[]) => PickleValue) {}
}

/** What the whitelist's functions return, opaque to the reader of opcodes. */
export abstract class PickleObject {
  /** @param what What messages call it, with its article. */
  constructor(readonly what: string) {}
}

/** A value of a pickle; a tuple is an array, None is null, a large integer a bigint. */
export type PickleValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | readonly PickleValue[]
  | PickleList
  | PickleDict
  | PickleGlobal
  | PickleObject;

/** The names a pickle may use, and what its references to data outside of it mean. */
export interface PickleWorld {
  /** The value of a name; undefined if it is not on the whitelist. */
  find(module: string, name: string): PickleGlobal | undefined;
  /** The value of a reference to data outside of the pickle (a storage). */
  persistent(id: PickleValue): PickleValue;
}

/** A fault in what a pickle says, found by the whitelist's functions; the reader adds the file and the offset. */
export class PickleFault extends Error {}

/** Describe a value in a message, shortly. */
export function describeValue(value: PickleValue): string {
  if (value === null) return "None";
  if (typeof value === "string") return JSON.stringify(value.slice(0, 80));
  if (value instanceof PickleGlobal) return value.name;
  if (value instanceof PickleDict) return "a dictionary";
  if (value instanceof PickleList) return "a list";
  if (value instanceof Uint8Array) return "bytes";
  if (Array.isArray(value)) return "a tuple";
  return value instanceof PickleObject ? value.what : String(value).slice(0, 80);
}
