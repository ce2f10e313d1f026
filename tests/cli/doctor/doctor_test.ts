// `caption.ts doctor`: what it finds here, and what it advises on machines that are not here.
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { adviceOn, type Findings } from "../../../src/cli/doctor/_advice.ts";
import { formatBytes, formatSeconds } from "../../../src/cli/_units.ts";
import type { Diagnosis } from "../../../src/cli/doctor/doctor.ts";
import { caption, deno } from "../command_process.ts";
import { withHub } from "../../hub/hub_fixture.ts";
import { testedBackends } from "../../backends/tested_backends.ts";

Deno.test("caption.ts doctor says what this machine has, as lines and as an object", async () => {
  await withHub(async ({ server, cacheDir }) => {
    const env = { HF_ENDPOINT: server.url, HF_HUB_CACHE: cacheDir, HF_HUB_OFFLINE: "", HF_TOKEN: "hf_secret" };
    const { stdout, stderr, code } = await caption(["doctor", "--json"], { env });
    assertEquals([code, stderr], [0, ""]);
    const found: Diagnosis = JSON.parse(stdout);
    assertEquals([found.deno, found.target, found.cores], [
      Deno.version.deno,
      Deno.build.target,
      navigator.hardwareConcurrency,
    ]);
    assert(found.memory!.total > 1e8 && found.memory!.available <= found.memory!.total);
    const available = found.backends.filter(({ available }) => available);
    for (const name of testedBackends) assert(available.some((backend) => backend.name === name), name);
    const ffi = available.find(({ name }) => name === "ffi")!;
    assertMatch(String(ffi.details.version), /^1\.\d+\.\d+$/);
    assert((ffi.details.providers as string[]).includes("CPUExecutionProvider"));
    assert(available.some(({ name }) => name === found.auto.backend) && found.auto.reason !== "");
    assertEquals([found.hub.endpoint, found.hub.reachable, found.hub.token], [server.url, true, true]);
    assertEquals([found.hub.cache, found.hub.cacheReason], [cacheDir, ""]);
    assert(!stdout.includes("hf_secret"));

    const away = { ...env, HF_ENDPOINT: "http://127.0.0.1:8", HF_HUB_CACHE: "/proc/none" };
    const lines = await caption(["doctor"], { env: away });
    assertEquals(lines.code, 0);
    for (const said of ["limner ", "deno ", "cores ", "memory ", "ffi ", "auto ", "hub ", "cache "]) {
      assertStringIncludes(`\n${lines.stdout}`, `\n${said}`);
    }
    assertStringIncludes(lines.stdout, "the Hub cannot be reached");
    assertStringIncludes(lines.stdout, "the cache cannot be written");
  });
});

Deno.test("caption.ts doctor needs no permission", async () => {
  const permissions = ["--deny-sys", "--deny-net", "--deny-env", "--deny-ffi", "--deny-write"];
  const { stdout, stderr, code } = await deno([...permissions, "caption.ts", "doctor"]);
  assertEquals(code, 0, stderr);
  assertStringIncludes(stdout, "memory       unknown without --allow-sys");
});

const whole: Findings = {
  os: "linux",
  devices: [],
  vulkanLoader: true,
  vulkanDrivers: [],
  nvidiaDriver: undefined,
  gpu: "none",
  ffiReason: "",
  hub: { reachable: true, reason: "", endpoint: "https://hub.example" },
  cache: { folder: "/cache", reason: "" },
};

Deno.test("adviceOn() says what to do where something is missing, and nothing where nothing is", () => {
  assertEquals(adviceOn(whole), []);
  assertEquals(adviceOn({ ...whole, devices: ["/dev/nvidia0"], gpu: "real" }), []);
  const cases: [Partial<Findings>, string][] = [
    [{ devices: ["/dev/nvidia0"], vulkanLoader: false }, "NVIDIA_DRIVER_CAPABILITIES=all"],
    [{ devices: ["/dev/dri/renderD128"], vulkanLoader: false }, "there is no Vulkan loader; install libvulkan1"],
    [{ devices: ["/dev/nvidia0"], nvidiaDriver: "470.82.01" }, "its driver 470.82.01 is too old"],
    [{ devices: ["/dev/nvidia0"], nvidiaDriver: "570.1", gpu: "software" }, "the loader knows no driver for it"],
    [
      { devices: ["/dev/dri/renderD128"], vulkanDrivers: ["/usr/share/vulkan/icd.d/lvp_icd.json"] },
      "mesa-vulkan-drivers",
    ],
    [{ devices: ["/dev/dri/renderD128"], vulkanDrivers: ["/etc/vulkan/icd.d/radeon_icd.json"] }, "may this user open"],
    [{ ffiReason: "it needs --allow-ffi" }, "the ffi backend cannot run: it needs --allow-ffi"],
    [{ hub: { reachable: false, reason: "dns", endpoint: "" } }, "the Hub cannot be reached (dns)"],
    [{ cache: { folder: "/x", reason: "read-only" } }, "HF_HUB_CACHE names another folder"],
  ];
  for (const [found, said] of cases) {
    const advice = adviceOn({ ...whole, ...found });
    assertEquals(advice.length, 1);
    assertStringIncludes(advice[0], said);
  }
});

Deno.test("bytes and seconds are printed as people read them", () => {
  assertEquals([0, 999, 1000, 1234, 99_949, 982e6, 1e12].map(formatBytes), [
    ...["0 B", "999 B", "1.0 kB", "1.2 kB", "100 kB", "982 MB", "1.0 TB"],
  ]);
  assertEquals([0, 99, 100, 3599, 6000, 9000].map(formatSeconds), [
    ...["0 s", "99 s", "1 min 40 s", "59 min 59 s", "1 h 40 min", "2 h 30 min"],
  ]);
});
