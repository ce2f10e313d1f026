// SECURITY.md says what the limits are.
import { assert, assertEquals } from "@std/assert";
import { defaultLimits } from "../../src/limits/mod.ts";

Deno.test("SECURITY.md has every limit with its default", async () => {
  const text = await Deno.readTextFile(new URL("../../SECURITY.md", import.meta.url));
  const rows = [...text.matchAll(/^\| `limits\.(\w+)` *\|[^|]*\| ([\d.e]+)( GiB| ms)? *\|$/gm)];
  const said = rows.map(([, name, value, unit]) => [name, Number(value) * (unit === " GiB" ? 2 ** 30 : 1)]);
  assertEquals(Object.fromEntries(said), { ...defaultLimits });
  assert(said.length > 5);
});
