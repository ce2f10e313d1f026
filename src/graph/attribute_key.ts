// A text for each value that attributes may have, by which equal ones are found again: in passes, lowerings and caches.
// JSON will not do, which writes NaN and both infinities as null, and −0 as 0.

/**
 * The text of a value: that of another one is the same exactly where both mean the same.
 *
 * Numbers are told apart by their bits (one NaN is like another); members that are undefined count as absent, and their
 * order does not matter.
 *
 * @param value Plain data: numbers, texts and truth values, in arrays and objects.
 * @throws {TypeError} If it holds anything else, such as a tensor: what a program contains is a constant of it.
 */
export function attributeKey(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (Object.is(value, -0)) return "-0";
  if (typeof value === "bigint") return `${value}n`;
  if (Array.isArray(value)) return `[${value.map(attributeKey)}]`;
  if (value === null || ["number", "boolean", "undefined"].includes(typeof value)) return String(value);
  if (typeof value !== "object" || Object.getPrototypeOf(value) !== Object.prototype) {
    const what = typeof value === "object" ? value.constructor?.name : typeof value;
    throw new TypeError(`Cannot compare attributes that hold a ${what}: expected plain data`);
  }
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${attributeKey(member)}`).toSorted()}}`;
}
