// Checks the page of `deno task web` in Chromium, on wasm and on webgpu: pictures dropped, pasted, chosen and taken are read, with
// a keyboard alone too; nothing is said on the console, axe-core finds no violation, and without a network it works the second time.
//   deno run -A tests/scripts/check_page.ts [--screenshot FILE]
import { assert, assertEquals } from "@std/assert";
import { type Browser, chromium, type Page } from "npm:playwright-core@1.65.1";
import { buildPage, servesFolder } from "../../tools/web.ts";

const root = new URL("../../", import.meta.url);
const pictures = { "line.png": "ninth century Zen master", "date.png": "2/8/2021" } as const;

/** Flags with which a Chromium without a GPU computes WebGPU in software. */
const softwareGpu = ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--disable-gpu-watchdog"];
/** Where Chromium runs as root, and /dev/shm is small. */
const inContainers = ["--no-sandbox", "--disable-dev-shm-usage"];
/**
 * How long to wait for what must come, in ms. Chromium compiles the kernels of WebGPU in software for a quarter of a minute where
 * nothing else runs, and for many times that on a busy machine.
 */
const patience = 900_000;
const fakeCamera = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"];

async function executable(): Promise<string | undefined> {
  const names = [Deno.env.get("CHROMIUM"), "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
  for (const name of names) {
    if (name && await Deno.stat(name).then(() => true, () => false)) return name;
  }
}

/** A page, and whatever it says that it should not. */
async function open(browser: Browser, address: string): Promise<{ page: Page; faults: string[] }> {
  const context = await browser.newContext({
    viewport: { width: 760, height: 560 },
    permissions: ["clipboard-read", "clipboard-write"],
  });
  const page = await context.newPage();
  page.setDefaultTimeout(patience);
  const faults: string[] = [];
  page.on("console", (message) => /error|warning/.test(message.type()) && faults.push(message.text()));
  page.on("pageerror", (error) => faults.push(error.message));
  page.on(
    "worker",
    (worker) => worker.on("console", (message) => /error|warning/.test(message.type()) && faults.push(message.text())),
  );
  page.on("response", (response) => response.status() >= 400 && faults.push(`${response.status()} ${response.url()}`));
  await page.goto(address);
  try {
    await page.waitForSelector("body[data-ready]");
  } catch (error) {
    const said = await page.textContent("#state");
    throw new Error(`${address} is not ready: ${[`it says ${JSON.stringify(said)}`, ...faults].join("; ")}`, {
      cause: error,
    });
  }
  return { page, faults };
}

/** Hand a picture to the page. @returns How long it took until a word was there, in ms. */
async function hand(page: Page, name: string, by: "drop" | "paste"): Promise<number> {
  await forget(page);
  const bytes = [...await Deno.readFile(new URL(`assets/examples/${name}`, root))];
  return await page.evaluate(async ({ bytes, name, by }) => {
    // deno-lint-ignore no-explicit-any
    const { document, MutationObserver, DragEvent, ClipboardEvent, DataTransfer } = globalThis as any;
    const data = new DataTransfer();
    data.items.add(new File([new Uint8Array(bytes)], name, { type: "image/png" }));
    const text = document.getElementById("text");
    const options = { bubbles: true, cancelable: true, dataTransfer: data, clipboardData: data };
    const began = performance.now();
    document.getElementById("drop").dispatchEvent(
      by === "drop" ? new DragEvent("drop", options) : new ClipboardEvent("paste", options),
    );
    return await new Promise<number>((resolve) =>
      new MutationObserver(() => text.textContent && resolve(performance.now() - began))
        .observe(text, { childList: true, subtree: true, characterData: true })
    );
  }, { bytes, name, by });
}

/** Take away what the page says of the picture before, so that only the next picture's text can be found. */
async function forget(page: Page): Promise<void> {
  await page.evaluate(() => {
    // deno-lint-ignore no-explicit-any
    const { document } = globalThis as any;
    for (const id of ["text", "state"]) document.getElementById(id).textContent = "";
  });
}

/** The text since `forget`, once the page's live region says that it is whole. */
async function textOf(page: Page): Promise<string> {
  await page.waitForFunction(`document.querySelector("#state[role=status]").textContent.startsWith("Text: ")`);
  const text = (await page.textContent("#text"))!;
  // What follows it says that the model's limit cut it off.
  const said = (await page.textContent("#state"))!;
  assert(said === `Text: ${text}` || said.startsWith(`Text: ${text} (cut`), said);
  assert(await page.isEnabled("#copy"), "the text cannot be copied");
  return text;
}

async function checkAccess(page: Page, when: string): Promise<void> {
  const { default: axe } = await import("npm:axe-core@4.14.1");
  await page.evaluate(axe.source);
  const { violations, passes } = await page.evaluate(() => {
    const rules = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
    // deno-lint-ignore no-explicit-any
    return (globalThis as any).axe.run({ runOnly: rules });
  });
  assertEquals(
    violations.map(({ id, nodes }: { id: string; nodes: { html: string }[] }) => [id, nodes[0].html]),
    [],
    when,
  );
  assert(passes.length > 10, `axe-core passed ${passes.length} rules`);
}

/** Move by Tab to what a selector matches. */
async function tabTo(page: Page, selector: string): Promise<void> {
  for (let i = 0; i < 30; i++) {
    await page.keyboard.press("Tab");
    if (
      await page.evaluate((selector) => {
        // deno-lint-ignore no-explicit-any
        return (globalThis as any).document.activeElement?.matches(selector);
      }, selector)
    ) return;
  }
  throw new Error(`Tab does not reach ${selector}`);
}

/** Whether something is drawn over the picture. */
async function glows(page: Page): Promise<boolean> {
  return await page.evaluate(() => {
    // deno-lint-ignore no-explicit-any
    const { document } = globalThis as any;
    const canvas = document.getElementById("heat");
    const blank = Object.assign(document.createElement("canvas"), { width: canvas.width, height: canvas.height });
    return canvas.toDataURL() !== blank.toDataURL();
  });
}

async function checkKeyboard(page: Page): Promise<void> {
  await page.evaluate(() => {
    // deno-lint-ignore no-explicit-any
    (globalThis as any).document.activeElement?.blur();
  });
  await forget(page);
  const chosen = page.waitForEvent("filechooser");
  await tabTo(page, "#file");
  await page.keyboard.press("Enter");
  await (await chosen).setFiles(new URL("assets/examples/date.png", root).pathname);
  assertEquals(await textOf(page), pictures["date.png"]);
  await tabTo(page, ".word");
  assert(await glows(page), "no attention is shown at a word that has the focus");
  await tabTo(page, "#copy");
  assert(!await glows(page), "attention is shown where no word has the focus");
  await page.keyboard.press("Enter");
  await page.waitForFunction(`document.getElementById("state").textContent === "Copied"`);
  // deno-lint-ignore no-explicit-any
  const clipboard = () => page.evaluate(() => (globalThis as any).navigator.clipboard.readText());
  assertEquals(await clipboard(), pictures["date.png"]);
  await tabTo(page, "#keep");
  await page.keyboard.press("Enter");
  await page.waitForSelector(`#kept img[alt="2/8/2021"]`);
  assertEquals(await clipboard(), `<img src="picture" alt="2/8/2021">`);
}

/** The processor time of the longest task of pages' own threads in a trace, in ms. */
function longestTask(trace: Uint8Array): number {
  const { traceEvents } = JSON.parse(new TextDecoder().decode(trace)) as { traceEvents: TraceEvent[] };
  const mains = new Set(
    traceEvents.filter(({ name, args }) => name === "thread_name" && args.name === "CrRendererMain")
      .map(({ pid, tid }) => `${pid} ${tid}`),
  );
  const tasks = traceEvents.filter(({ name, tdur, pid, tid }) =>
    name.endsWith("RunTask") && tdur !== undefined && mains.has(`${pid} ${tid}`)
  );
  assert(tasks.length > 100, `the trace has ${tasks.length} tasks`);
  return Math.max(...tasks.map(({ tdur }) => tdur!)) / 1000;
}

interface TraceEvent {
  readonly name: string;
  readonly pid: number;
  readonly tid: number;
  /** The thread's processor time, in µs. */
  readonly tdur?: number;
  readonly args: { readonly name?: string };
}

async function checkCamera(page: Page): Promise<void> {
  await page.click("#camera");
  await page.waitForFunction(`document.getElementById("video").videoWidth > 0`);
  await checkAccess(page, "while a picture is taken");
  await forget(page);
  await page.click("#shoot");
  await page.waitForFunction(`document.getElementById("picture").naturalWidth > 500`);
  await textOf(page);
}

/** Everything, in WebAssembly. */
async function checkWasm(browser: Browser, address: string, stop: () => Promise<void>): Promise<void> {
  const { page, faults } = await open(browser, `${address}/?backend=wasm`);
  // Only from here on: Chromium loads pages of its own at its start.
  await browser.startTracing(undefined, { categories: ["toplevel"] });
  const times: number[] = [];
  for (let i = 0; i < 5; i++) {
    times.push(await hand(page, "line.png", i % 2 ? "paste" : "drop"));
    assertEquals(await textOf(page), pictures["line.png"]);
  }
  await page.hover(".word >> nth=1");
  assert(await glows(page), "no attention is shown at a word that is pointed at");
  const longest = longestTask(await browser.stopTracing());
  if (Deno.args[0] === "--screenshot") await page.screenshot({ path: Deno.args[1], quality: 75 });
  const warm = Math.min(...times.slice(1));
  console.log(
    `wasm: first word ${Math.round(times[0])} ms, warm ${Math.round(warm)} ms (at most 1500); ` +
      `longest task of the page's thread ${Math.round(longest)} ms (at most 100)`,
  );
  assert(warm <= 1500, `the first word took ${warm} ms`);
  assert(longest <= 100, `the page's thread was busy for ${longest} ms`);
  await checkAccess(page, "with a text");
  await checkKeyboard(page);
  await checkCamera(page);
  await page.evaluate("navigator.serviceWorker.ready");
  await stop();
  await page.reload();
  await page.waitForSelector("body[data-ready=wasm]");
  await checkAccess(page, "at the start");
  await hand(page, "date.png", "drop");
  assertEquals(await textOf(page), pictures["date.png"]);
  console.log("wasm: by keyboard and by camera too, and without a server the second time");
  assertEquals(faults, []);
  await page.context().close();
}

async function checkWebGpu(browser: Browser, address: string): Promise<void> {
  const probe = await browser.newPage();
  await probe.goto(`${address}/style.css`);
  const adapter = await probe.evaluate(
    "navigator.gpu?.requestAdapter().then((found) => found && found.info.architecture)",
  );
  await probe.close();
  if (!adapter) return console.log("webgpu: not run, as this Chromium has no adapter for WebGPU, in software either");
  const { page, faults } = await open(browser, `${address}/?backend=webgpu`);
  assertEquals(await page.getAttribute("body", "data-ready"), "webgpu");
  await hand(page, "line.png", "drop");
  assertEquals(await textOf(page), pictures["line.png"]);
  assertEquals(faults, []);
  console.log(`webgpu: a picture was read on ${adapter}`);
}

function serve(folder: string): { address: string; stop: () => Promise<void> } {
  const server = Deno.serve({ port: 0, hostname: "localhost", onListen() {} }, servesFolder(folder));
  return { address: `http://localhost:${server.addr.port}`, stop: () => server.shutdown() };
}

const executablePath = await executable();
if (!executablePath) {
  console.log("not run: the page in a browser, because there is no Chromium (Debian: apt-get install chromium)");
  Deno.exit(Deno.env.get("CI") === "true" ? 1 : 0);
}
const folder = await Deno.makeTempDir({ prefix: "limner_page_" });
await buildPage(folder);
const browser = await chromium.launch({ executablePath, args: [...inContainers, ...softwareGpu, ...fakeCamera] });
try {
  const [first, second] = [serve(folder), serve(folder)];
  await checkWebGpu(browser, second.address);
  await checkWasm(browser, first.address, first.stop);
  await second.stop();
} finally {
  await browser.close();
  await Deno.remove(folder, { recursive: true });
}
