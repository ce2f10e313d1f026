// A key for each value that attributes may have, by which passes, lowerings and caches find equal ones again.
// JSON will not do: it writes NaN and both infinities as null, and −0 as 0.

/**
 * The key of a value: two values have the same key exactly where they are equal.
 *
 * Numbers are compared by their bits (every NaN is the same number); members that are undefined count as absent, and the
 * order of members does not matter.
 *
 * @param value Plain data: numbers, texts and truth values, in arrays and objects.
 * @throws {TypeError} If it holds anything else, such as a tensor; a tensor that a program contains is a constant of the program, not an attribute.
 */
export function attributeKey(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "number") return Object.is(value, -0) ? "-0" : String(value);
  if (typeof value === "bigint") return `${value}n`;
  if (Array.isArray(value)) return `[${value.map(attributeKey)}]`;
  if (value === null || typeof value === "boolean" || value === undefined) return String(value);
  if (typeof value !== "object" || Object.getPrototypeOf(value) !== Object.prototype) {
    const what = typeof value === "object" ? value.constructor?.name : typeof value;
    throw new TypeError(`Cannot compare attributes that hold a ${what}: expected plain data`);
  }
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${attributeKey(member)}`).toSorted()}}`;
}
