import { assertEquals } from "@std/assert";
import { integerProducts } from "../../../backends/ffi/integer_products.ts";

Deno.test("a processor's instructions say which products of many rows are of whole numbers", () => {
  const cases = {
    "flags : fpu sse4_2": { blocks: false },
    "flags : fpu avx avx2 fma": { blocks: false, rowScales: "columns" },
    "flags : avx2 avx512f avx512_bf16": { blocks: false, rowScales: "columns" },
    "flags : avx2 avx512f avx512_vnni amx_int8": { blocks: true, rowScales: "signedColumns" },
    "flags : avx2 avx_vnni": { blocks: true, rowScales: "signedColumns" },
    "Features : fp asimd asimdhp": { blocks: false },
    "Features : fp asimd asimddp": { blocks: false, rowScales: "signedColumns" },
    "Features : fp asimd asimddp i8mm bf16": { blocks: true, rowScales: "signedColumns" },
    "": { blocks: false },
  } as const;
  for (const [features, products] of Object.entries(cases)) assertEquals(integerProducts(features), products, features);
});
