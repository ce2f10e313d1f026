// Random words by counter and key: Philox 4x32-10 (Salmon et al. 2011, "Parallel Random Numbers: As Easy as 1, 2, 3").

/** The high 32 bits of the product of two unsigned 32-bit numbers. */
function multiplyHigh(a: number, b: number): number {
  const aLow = a & 0xffff, aHigh = a >>> 16, bLow = b & 0xffff, bHigh = b >>> 16;
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16);
  const other = aLow * bHigh + (middle & 0xffff);
  return (aHigh * bHigh + Math.floor(middle / 65536) + Math.floor(other / 65536)) >>> 0;
}

/**
 * Four random words for a counter of four words and a key of two, all unsigned 32-bit.
 *
 * @param words Holds the counter, and then the result.
 */
export function philox(words: Uint32Array, key0: number, key1: number): void {
  let [a, b, c, d] = words;
  for (let round = 0; round < 10; round++) {
    const highA = multiplyHigh(0xd2511f53, a), lowA = Math.imul(0xd2511f53, a);
    const highC = multiplyHigh(0xcd9e8d57, c), lowC = Math.imul(0xcd9e8d57, c);
    a = (highC ^ b ^ key0) >>> 0;
    b = lowC >>> 0;
    c = (highA ^ d ^ key1) >>> 0;
    d = lowA >>> 0;
    key0 = (key0 + 0x9e3779b9) >>> 0;
    key1 = (key1 + 0xbb67ae85) >>> 0;
  }
  words[0] = a;
  words[1] = b;
  words[2] = c;
  words[3] = d;
}
