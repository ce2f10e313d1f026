// examples/edge.ts as it is deployed: in a process with its two permissions and no more, within 512 MB.
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { deno, root } from "./cli/command_process.ts";
import { readsMemory } from "./process_cost.ts";

/** A server of the example. */
interface Server extends AsyncDisposable {
  readonly address: string;
  /** The most memory that its process had, in MB; 0 where that is unknown. */
  peak(): number;
}

async function serve(): Promise<Server> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "serve",
      "--no-prompt",
      "--allow-net",
      "--allow-read",
      "--host",
      "127.0.0.1",
      "--port",
      "0",
      "examples/edge.ts",
    ],
    cwd: root,
    env: { NO_COLOR: "1" },
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const lines = child.stderr.pipeThrough(new TextDecoderStream()).getReader();
  let said = "";
  let address: string | undefined;
  while (!address) {
    const { done, value } = await lines.read();
    if (done) throw new Error(`the example ended: ${said}`);
    said += value;
    address = /Listening on (http:\/\/127\.0\.0\.1:\d+)/.exec(said)?.[1];
  }
  return {
    address,
    peak: () => {
      if (!readsMemory) return 0;
      const status = Deno.readTextFileSync(`/proc/${child.pid}/status`);
      return Number(/VmHWM:\s+(\d+)/.exec(status)?.[1]) / 1024;
    },
    async [Symbol.asyncDispose]() {
      child.kill();
      await lines.cancel();
      await child.status;
    },
  };
}

const picture = (name: string) => Deno.readFile(new URL(`../assets/examples/${name}.png`, import.meta.url));

/** Bytes of which the last comes when it is told to. */
function withheld(bytes: Uint8Array<ArrayBuffer>, end: Promise<void>): ReadableStream<Uint8Array<ArrayBuffer>> {
  return ReadableStream.from((async function* () {
    yield bytes.subarray(0, -1);
    await end;
    yield bytes.subarray(-1);
  })());
}

/** Post a picture. */
async function post(address: string, body: BodyInit, accept = "application/json"): Promise<Response> {
  return await fetch(address, { method: "POST", body, headers: { accept } });
}

/** The events of an answer. */
function eventsOf(text: string): { name: string; data: { text: string } }[] {
  return text.split("\n\n").slice(0, -1).map((event) => {
    const [, name, data] = /^event: (\w+)\ndata: (.*)$/.exec(event)!;
    return { name, data: JSON.parse(data) };
  });
}

Deno.test("edge.ts reads pictures with no permission but the network and files, in 512 MB", async (t) => {
  await using server = await serve();
  const { address } = server;
  await t.step("a text as JSON", async () => {
    const response = await post(address, await picture("line"));
    const { text, confidence, truncated } = await response.json();
    assertEquals([response.status, text, truncated], [200, "ninth century Zen master", false]);
    assert(confidence > 0.9 && confidence <= 1);
  });
  await t.step("its tokens as they come", async () => {
    const response = await post(address, await picture("line"), "text/event-stream");
    assertEquals(response.headers.get("content-type"), "text/event-stream");
    const events = eventsOf(await response.text());
    const last = events.pop()!;
    assertEquals([last.name, last.data.text], ["done", "ninth century Zen master"]);
    assertEquals(events.map(({ data }) => data.text).join(""), last.data.text);
    assert(events.length > 5, `${events.length} pieces`);
  });
  await t.step("too many at once are told when to come again", async () => {
    const line = await picture("line");
    // Four whose pictures come to their end when they are told to: all have a place once another is refused.
    const ends = Array.from({ length: 4 }, () => Promise.withResolvers<void>());
    const early = Promise.all(ends.map(({ promise }) => post(address, withheld(line, promise))));
    const readOrRefused = async (): Promise<number> => {
      const response = await post(address, line);
      const { text, error } = await response.json();
      if (response.status !== 429) assertEquals(text, "ninth century Zen master");
      else assertMatch(`${response.headers.get("retry-after")} ${error.message}`, /^[1-9]\d* Too many/);
      return response.status;
    };
    for (let attempt = 0; attempt < 50 && await readOrRefused() === 200; attempt++);
    assertEquals(await Promise.all(Array.from({ length: 5 }, readOrRefused)), new Array(5).fill(429));
    for (const { resolve } of ends) resolve();
    for (const response of await early) {
      assertEquals([response.status, (await response.json()).text], [200, "ninth century Zen master"]);
    }
  });
  await t.step("a client that goes away gives its place back", async () => {
    // The server learns of it at its next write, and by itself it would wait for half a minute.
    const end = performance.now() + 15_000;
    for (let left = 0; left < 9;) {
      const response = await post(address, await picture("line"), "text/event-stream");
      await response.body!.cancel();
      if (response.status === 200) left++;
      else assert(response.status === 429 && performance.now() < end, `${response.status} after ${left} left`);
    }
    let text: string | undefined;
    while (!text) {
      assert(performance.now() < end, "the last place was not given back");
      ({ text } = await (await post(address, await picture("date"))).json());
    }
    assertEquals(text, "2/8/2021");
  });
  await t.step("what is too large, or no picture, is refused with the reason", async () => {
    // One bit a pixel.
    const bitmap = new Blob(["P4 5000 5000\n", new Uint8Array(5000 * 625)]);
    const refusals: [BodyInit, number, string][] = [
      [new Uint8Array(10_000_001), 413, "10000000 bytes"],
      [bitmap, 400, "20000000 are read (option maxPixels)"],
      ["no picture", 400, "it holds text"],
      ["", 400, "Post a picture."],
    ];
    for (const [body, status, said] of refusals) {
      const response = await post(address, body);
      assertEquals(response.status, status, said);
      assertStringIncludes((await response.json()).error.message, said);
    }
    const response = await fetch(address);
    assertEquals([response.status, response.headers.get("allow")], [405, "POST"]);
    await response.body!.cancel();
  });
  assert(server.peak() < 512, `${server.peak()} MB`);
});

/** Run a script that has the example's handler, a `post` to it, and a `patience` of the signals that it makes. */
async function handled(script: string): Promise<{ stdout: string; stderr: string }> {
  const whole = `import handler from ${JSON.stringify(new URL("../examples/edge.ts", import.meta.url).href)};
    const body = await Deno.readFile("assets/examples/line.png");
    const post = (accept, sent = body) =>
      handler.fetch(new Request("http://localhost", { method: "POST", body: sent, headers: { accept } }));
    const timeout = AbortSignal.timeout;
    let patience = () => 30_000;
    AbortSignal.timeout = (time) => timeout(time === 30_000 ? patience() : time); // Limner has timers of its own
    ${script}
    Deno.exit();`;
  // The example's own name for Limner is known by the project's configuration.
  const config = new URL("../deno.json", import.meta.url).pathname;
  return await deno(["--config", config, `data:application/javascript,${encodeURIComponent(whole)}`]);
}

Deno.test("edge.ts gives up a picture after its time, as JSON and as an event", async () => {
  const { stdout, stderr } = await handled(`
    let signals = 0;
    patience = () => signals++ % 2 === 0 ? 30_000 : 0; // the picture has time to arrive, its text has none
    for (const accept of ["application/json", "text/event-stream"]) {
      const response = await post(accept);
      console.log(response.status, await response.text());
    }`);
  const [json, event] = stdout.split("\n");
  assertStringIncludes(json, '504 {"error":{"message":"The picture was not read within 30000 ms."}}', stderr);
  assertEquals(event, "200 event: error");
});

Deno.test("edge.ts sends the pieces of a text as they are decided", async () => {
  // The text's time is over once its first piece has come: the rest of it must not have been decided by then.
  const { stdout, stderr } = await handled(`
    const over = new AbortController();
    AbortSignal.timeout = (time) => time === 30_000 ? over.signal : timeout(time);
    const answer = await post("text/event-stream");
    for await (const part of answer.body.pipeThrough(new TextDecoderStream())) {
      console.log(part.trimEnd());
      over.abort(new DOMException("over", "TimeoutError"));
    }`);
  const names = [...stdout.matchAll(/^event: (\w+)$/gm)].map(([, name]) => name);
  assertEquals([names[0], names.at(-1)], ["text", "error"], stdout + stderr);
  assert(names.length < 10, stdout);
});

Deno.test("edge.ts takes the places of clients that send nothing, or read nothing, for others", async () => {
  const { stdout, stderr } = await handled(`
    const say = async (response) => console.log(response.status, (await response.text()).slice(0, 48));
    await say(await post("application/json"));
    const four = [1, 2, 3, 4];
    patience = () => 50;
    const silent = four.map(() => post("application/json", new ReadableStream()));
    await say(await post("application/json"));
    for (const response of await Promise.all(silent)) await say(response);
    const broken = new ReadableStream({ pull: (controller) => controller.error(new TypeError("gone")) });
    await say(await post("application/json", broken));
    patience = () => 300;
    await Promise.all(four.map(() => post("text/event-stream")));
    patience = () => 30_000;
    let next;
    for (let attempt = 0; attempt < 100 && (next ?? { status: 429 }).status === 429; attempt++) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      next = await post("application/json");
    }
    await say(next);`);
  const late = '408 {"error":{"message":"The picture did not arrive ';
  const read = '200 {"text":"ninth century Zen master","confidence":';
  const full = '429 {"error":{"message":"Too many pictures are waiti';
  const cut = '400 {"error":{"message":"The picture did not arrive ';
  assertEquals(stdout.trimEnd().split("\n"), [read, full, late, late, late, late, cut, read], stderr);
});
