// Captioners, models and backends that are released while something goes on, in every order and twice.
import { assertEquals } from "@std/assert";
import { testedBackends } from "../backends/tested_backends.ts";
import { effort } from "../effort.ts";

const script = new URL("./lives.ts", import.meta.url).pathname;

for (const backend of testedBackends) {
  Deno.test(`what is released while it is used says so on ${backend}, and the process goes on`, async () => {
    const args = ["run", "-A", "--v8-flags=--expose-gc", script, backend, String(effort(5, 200))];
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), { args }).output();
    const [out, complaints] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
    assertEquals([code, out], [0, "done\n"], complaints.slice(-2000));
  });
}
