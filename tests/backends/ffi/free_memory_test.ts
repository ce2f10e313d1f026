import { assert, assertEquals } from "@std/assert";
import { freeMemory, isMemoryShort } from "../../../backends/ffi/free_memory.ts";

import { Tensor } from "../../../src/tensor/mod.ts";
import { weightFromTensor, weightOfBlocks } from "../../../src/weights/mod.ts";

const reader = (files: Record<string, string>) => (path: string) => files[path];
const second = "/sys/fs/cgroup";
const first = "/sys/fs/cgroup/memory";

Deno.test("freeMemory() heeds the least that a control group and those above it leave", () => {
  const read = reader({
    "/proc/self/cgroup": "0::/pod/box\n",
    [`${second}/pod/box/memory.max`]: "max\n",
    [`${second}/pod/box/memory.current`]: "100\n",
    [`${second}/pod/memory.max`]: "1000\n",
    [`${second}/pod/memory.current`]: "700\n",
    [`${second}/pod/memory.stat`]: "anon 500\ninactive_file 150\nactive_file 20\n",
  });
  assertEquals(freeMemory(read, () => 5000), 450);
  assertEquals(freeMemory(read, () => 400), 400);
  assertEquals(freeMemory(read, () => undefined), 450);
});

Deno.test("freeMemory() reads the first version of control groups, and a container's own root", () => {
  const limited = {
    [`${first}/box/memory.limit_in_bytes`]: "2000\n",
    [`${first}/box/memory.usage_in_bytes`]: "2500\n",
    [`${first}/memory.limit_in_bytes`]: "9223372036854771712\n",
    [`${first}/memory.usage_in_bytes`]: "3000\n",
  };
  const groups = "5:cpu,cpuacct:/elsewhere\n4:memory:/box\n0::/\n";
  assertEquals(freeMemory(reader({ "/proc/self/cgroup": groups, ...limited }), () => 1e9), 0);
  const inside = { [`${second}/memory.max`]: "600", [`${second}/memory.current`]: "100" };
  assertEquals(freeMemory(reader({ "/proc/self/cgroup": "0::/../../outside\n", ...inside }), () => 1e9), 500);
});

Deno.test("freeMemory() knows nothing where nothing may be read, and is not misled by what is damaged", () => {
  assertEquals(freeMemory(() => undefined, () => undefined), undefined);
  assertEquals(freeMemory(reader({ "/proc/self/cgroup": "nonsense\n7\n" }), () => 77), 77);
  const damaged = { [`${second}/memory.max`]: "-5", [`${second}/memory.current`]: "1" };
  assertEquals(freeMemory(reader({ "/proc/self/cgroup": "0::/\n", ...damaged }), () => 77), 77);
});

Deno.test({
  name: "freeMemory() finds what this machine has",
  ignore: Deno.build.os !== "linux",
  fn: () => assert(freeMemory()! > 0 && freeMemory()! <= Deno.systemMemoryInfo().total),
});

Deno.test("isMemoryShort() counts what a model would take, in as many bits as it has", () => {
  const shape = [20000, 10000];
  const whole = { ...weightFromTensor(new Tensor("float32", [0], new Float32Array(0))), shape };
  const load = () => Promise.reject(new Error("nothing is read"));
  const source = new Map([["head", whole], ["words", whole]]);
  assertEquals([1.1e9, 1.3e9].map((free) => isMemoryShort(source, free)), [true, false]);
  const quarter = new Map([["head", weightOfBlocks(shape, { bits: 8, block: 32, axis: 1, load })]]);
  assertEquals([0.4e9, 0.5e9].map((free) => isMemoryShort(quarter, free)), [true, false]);
});
