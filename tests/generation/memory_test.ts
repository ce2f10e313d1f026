// Resident memory stays where it was after many generations, some of them stopped. In a process of its own: the others' memory
// would show. Garbage is collected before memory is looked at: V8 lets some 50 kB of each generation be for hundreds of them, and
// collects them all at once. Its young generation keeps one size: V8 doubles it a few times in a process's life, by 6 MB the
// first time, sooner or later, which says nothing about generations.
import { assert, assertEquals } from "@std/assert";
import { costFlags } from "../process_cost.ts";
import { testedBackends } from "../backends/tested_backends.ts";

const script = new URL("memory.ts", import.meta.url);

for (const backend of testedBackends.filter((name) => name !== "reference")) {
  Deno.test(`260 generations on ${backend}, some aborted, hold what 80 held`, async () => {
    const { stdout, success } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--quiet", costFlags, "--v8-flags=--expose-gc,--max-semi-space-size=2", script.href, backend],
      stderr: "inherit",
    }).output();
    assert(success);
    const [early, late] = JSON.parse(new TextDecoder().decode(stdout));
    assertEquals(late.counted, early.counted);
    const grown = (late.resident - early.resident) / 2 ** 20;
    assert(grown < 10, `${grown.toFixed(1)} MB more`);
  });
}
