// The operators of a ModelProto, found by their names in its bytes.

/** Those of the names that a model mentions. */
export function mentionedOperators(bytes: Uint8Array, names: readonly string[]): string[] {
  const text = new TextDecoder("latin1").decode(bytes);
  return names.filter((name) => text.includes(name));
}
