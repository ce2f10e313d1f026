// The values that a pickle can have once it is read: plain data, and what its resolver made of names and references.

/** A dictionary: key, value, key, value, as written; a later key replaces an earlier one that is equal. */
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

/** What the whitelist's functions return, which the reader of opcodes does not look into. */
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

/** Which names a pickle may use, and what its references to data outside of it mean; as in Python's Unpickler. */
export interface PickleResolver {
  /** The value of a name; undefined if it is not on the whitelist. */
  findGlobal(module: string, name: string): PickleGlobal | undefined;
  /** The value of a reference to data outside of the pickle (a storage). */
  persistentLoad(id: PickleValue): PickleValue;
}

/** A fault in a pickle, found by the cursor or the resolver; the reader adds the file and the offset. */
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
