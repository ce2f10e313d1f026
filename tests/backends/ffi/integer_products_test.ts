import { assertEquals } from "@std/assert";
import { integerProducts } from "../../../backends/ffi/integer_products.ts";

Deno.test("a processor's instructions say which products of many rows are of whole numbers", () => {
  const cases = {
    "flags : fpu sse4_2": { blocks: "decoded" },
    "flags : fpu avx avx2 fma": { blocks: "decoded", rowScales: "columns" },
    "flags : avx2 avx512f avx512_bf16": { blocks: "decoded", rowScales: "columns" },
    "flags : avx2 avx512f avx512_vnni amx_int8": { blocks: "packed", rowScales: "signedColumns" },
    "flags : avx2 avx_vnni": { blocks: "packed", rowScales: "signedColumns" },
    "Features : fp asimd asimdhp": { blocks: "decoded" },
    "Features : fp asimd asimddp": { blocks: "decoded", rowScales: "signedColumns" },
    "Features : fp asimd asimddp i8mm bf16": { blocks: "packed", rowScales: "signedColumns" },
    "": { blocks: "decoded" },
  } as const;
  for (const [features, products] of Object.entries(cases)) assertEquals(integerProducts(features), products, features);
});
