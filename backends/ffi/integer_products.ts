// Which products of many rows are of whole numbers on this processor: those for which ONNX Runtime has kernels that are faster than
// float32 with weights that are decoded first. The instructions alone decide, since a product of whole numbers rounds its input:
// what is timed on a busy machine must not change a model's results from one day to the next.
import type { IntegerProducts } from "../onnx/mod.ts";

/** Instructions that multiply 8-bit integers and add up the products, as Linux calls them: of x86, and of arm64. */
const [vnni, dotProducts, matrices] = ["avx512_vnni|avx_vnni", "asimddp", "i8mm"];

/**
 * What the processor's instructions make worthwhile.
 *
 * - Weights in blocks, each with a scale of its own: with VNNI they take 0.4 to 0.5 of the time of decoding them and multiplying in
 *   float32, with AVX2 alone twice that time.
 * - Weights whose rows have one scale: wherever ONNX Runtime has kernels for them. Those of VNNI want signed codes (2.1 to 2.4 times
 *   as fast as with unsigned ones, which go to AVX2's kernels on all of x86), and Arm's take them as well; AVX2 would add two products
 *   with signed codes in 16 bits, which are too few.
 *
 * @param features What Linux says of the processor, /proc/cpuinfo.
 */
export function integerProducts(features: string): IntegerProducts {
  const has = (...names: string[]) => new RegExp(`\\b(?:${names.join("|")})\\b`).test(features);
  const rowScales = has(vnni, dotProducts) ? "signedColumns" : has("avx2") ? "columns" : undefined;
  return { blocks: has(vnni, matrices) ? "packed" : "decoded", ...(rowScales && { rowScales }) };
}

/** The same of this processor; where its features cannot be read, no product of many rows is of whole numbers. */
export function integerProductsHere(): IntegerProducts {
  const path = "/proc/cpuinfo";
  const isReadable = Deno.build.os === "linux" &&
    Deno.permissions.querySync({ name: "read", path }).state === "granted";
  try {
    return integerProducts(isReadable ? Deno.readTextFileSync(path) : "");
  } catch {
    return { blocks: "decoded" };
  }
}
