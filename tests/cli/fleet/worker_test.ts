// `caption.ts worker`, as whoever drives it sees it.
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { effort } from "../../effort.ts";
import { readingFlags, readingValued } from "../../../src/cli/options.ts";
import { commandHelp } from "../../../src/cli/usage.ts";
import { costFlags } from "../../process_cost.ts";
import { caption, root, texts } from "../command_process.ts";

const line = "assets/examples/line.png";

interface Answer {
  readonly id: string | number | null;
  readonly line?: number;
  readonly text?: string;
  readonly error?: { readonly message: string; readonly code: string };
  readonly heartbeat?: { readonly state: string; readonly answered: number; readonly waiting: number };
}

const answersOf = (stdout: string): Answer[] => stdout.trimEnd().split("\n").map((text) => JSON.parse(text));

/** Start a worker. */
function start(args: readonly string[] = []) {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", costFlags, "caption.ts", "worker", ...args],
    ...{ cwd: root, stdin: "piped", stdout: "piped", stderr: "piped" },
  }).spawn();
  const writer = child.stdin.getWriter();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  return {
    child,
    writer,
    write: (lines: readonly unknown[]) =>
      writer.write(new TextEncoder().encode(lines.map((line) => JSON.stringify(line) + "\n").join(""))),
    /** The next answer; undefined once there are no more. */
    next: async (): Promise<Answer | undefined> => {
      while (!rest.includes("\n")) {
        const { value, done } = await reader.read();
        if (done) return undefined;
        rest += value;
      }
      const end = rest.indexOf("\n");
      const answer = JSON.parse(rest.slice(0, end));
      rest = rest.slice(end + 1);
      return answer;
    },
    end: async () => {
      await writer.close().catch(() => {});
      await reader.cancel();
      await child.stderr.cancel();
      return await child.status;
    },
  };
}

Deno.test("caption.ts worker answers each line in its order, with what is wrong where something is", async () => {
  const picture = await Deno.readFile(`${root}assets/examples/shout.png`);
  const lines = [
    { id: 1, path: line },
    { id: "b", path: "nowhere.png" },
    { id: "c", base64: picture.toBase64(), more: [1] },
    { id: "d", url: "http://localhost:1/a.png" },
    { id: 1, path: line },
    { id: -0.5, path: "assets/examples/date.png" },
  ];
  const stdin = new TextEncoder().encode(lines.map((line) => JSON.stringify(line)).join("\n\n"));
  const { stdout, stderr, code } = await caption(["worker"], { stdin });
  assertEquals([code, stderr], [0, ""]);
  const answers = answersOf(stdout);
  assertEquals(answers.map(({ id, text, error }) => [id, text ?? error!.code]), [
    [1, texts[line]],
    ["b", "not-found"],
    ["c", texts["assets/examples/shout.png"]],
    ["d", "not-allowed"],
    [1, "duplicate-id"],
    [-0.5, texts["assets/examples/date.png"]],
  ]);
  assertStringIncludes(answers[1].error!.message, "nowhere.png: there is no such file");
});

Deno.test("caption.ts worker answers hostile lines, and those after them", async () => {
  const bad: [string, RegExp][] = [
    ["nonsense", /line 1: it is no JSON/],
    ["[1]", /line 2: it is JSON, but no object/],
    ["null", /but no object/],
    ['{"path":"a.png"}', /its id is missing/],
    ['{"id":null,"path":"a.png"}', /its id is null/],
    ['{"id":{},"path":"a.png"}', /its id is a object|its id is an object/],
    ['{"id":12345678901234567890,"path":"a.png"}', /number that JSON keeps/],
    [`{"id":"${"x".repeat(1001)}","path":"a.png"}`, /a text of 1001 characters/],
    ['{"id":10}', /it has no, expected one of path, url, base64|expected one of path, url, base64/],
    ['{"id":11,"path":"a","url":"b"}', /path and url, expected one/],
    ['{"id":12,"path":7}', /its path is no text/],
    ['{"id":13,"path":"/dev/zero"}', /a pipe or a device/],
    ['{"id":14,"path":"/dev/stdin"}', /a pipe or a device/],
    ['{"id":15,"url":"file:///etc/passwd"}', /expected one of http or https/],
    ['{"id":16,"base64":"%%%"}', /its base64 cannot be decoded/],
    ['{"id":17,"base64":"aGVsbG8="}', /it holds text, expected a PNG/],
    ['{"id":18,"path":"\\u0000"}', /Cannot read picture/],
    ["[".repeat(1e6), /it is no JSON/],
    ['{"__proto__":{"id":1,"path":"a.png"}}', /its id is missing/],
  ];
  const stdin = new TextEncoder().encode(
    bad.map(([text]) => text + "\n").join("") + `{"id":"last","path":"${line}"}\n`,
  );
  const { stdout, code } = await caption(["worker"], { stdin });
  const answers = answersOf(stdout);
  assertEquals([code, answers.length], [0, bad.length + 1]);
  bad.forEach(([, expected], i) => assert(expected.test(answers[i].error!.message), JSON.stringify(answers[i])));
  assertEquals(answers.at(-1), { ...answers.at(-1)!, id: "last", text: texts[line] });
});

Deno.test({
  name: "caption.ts worker answers a line of 1 GB and what is no UTF-8, in bounded memory",
  ignore: Deno.build.os !== "linux",
  async fn() {
    const worker = start();
    await worker.write([{ id: 0, path: line }]);
    assertEquals((await worker.next())?.text, texts[line]);
    const peakOf = async () =>
      Number(/VmHWM:\s+(\d+)/.exec(await Deno.readTextFile(`/proc/${worker.child.pid}/status`))![1]) * 1024;
    const before = await peakOf();
    const chunk = new Uint8Array(2 ** 20).fill(120);
    const megabytes = effort(300, 1000);
    for (let i = 0; i < megabytes; i++) await worker.writer.write(chunk);
    await worker.writer.write(Uint8Array.of(10, 255, 254, 10));
    await worker.write([{ id: 1, path: line }]);
    const [long, binary, last] = [await worker.next(), await worker.next(), await worker.next()];
    assertEquals([long?.id, long?.line, long?.error?.code], [null, 2, "too-large"]);
    assertStringIncludes(long!.error!.message, `${megabytes * 2 ** 20} bytes, expected at most 67108864`);
    assertEquals(binary?.error?.message, "Cannot read line 3: it is no UTF-8, expected an object of JSON");
    assertEquals(last?.text, texts[line]);
    // A line of 64 MiB is kept, twice while it grows.
    const grown = await peakOf() - before;
    assert(grown < 200e6, `${grown / 1e6} MB more`);
    assertEquals((await worker.end()).code, 0);
  },
});

Deno.test("caption.ts worker answers a line as it comes, and beats while it waits", async () => {
  const worker = start(["--heartbeat", "1"]);
  assertEquals((await worker.next())?.heartbeat?.state, "loading");
  const nextOf = async (is: (answer: Answer) => unknown) => {
    for (;;) {
      const answer = await worker.next();
      if (!answer || is(answer)) return answer;
    }
  };
  for (const id of [1, 2]) {
    await worker.write([{ id, path: line }]);
    assertEquals((await nextOf((answer) => "id" in answer))?.id, id);
    const { heartbeat } = (await nextOf((answer) => answer.heartbeat))!;
    assertEquals([heartbeat?.state, heartbeat?.answered, heartbeat?.waiting], ["reading", id, 0]);
  }
  assertEquals((await worker.end()).code, 0);
});

Deno.test({
  name: "caption.ts worker answers what it has read when SIGTERM comes, and ends",
  ignore: Deno.build.os === "windows",
  async fn() {
    const worker = start();
    await worker.write(Array.from({ length: 10 }, (_, id) => ({ id, path: line })));
    const ids = [(await worker.next())?.id];
    worker.child.kill("SIGTERM");
    for (let answer = await worker.next(); answer; answer = await worker.next()) ids.push(answer.id);
    assertEquals(ids, Array.from({ length: 10 }, (_, id) => id));
    assertEquals((await worker.end()).code, 0);
  },
});

Deno.test("caption.ts worker ends with the code of a model that is not there, and of a wrong command line", async () => {
  const missing = await caption(["worker", "--model", "./nowhere"], { stdin: new Uint8Array() });
  assertEquals([missing.code, missing.stdout, missing.complaints.length], [3, "", 1]);
  const wrong = await caption(["worker", "--seed", "1"], { stdin: new Uint8Array() });
  assertEquals([wrong.code, wrong.stdout], [2, ""]);
  assertStringIncludes(wrong.stderr, "--seed needs --sample");
});

Deno.test("caption.ts worker --help lists exactly the options that it takes", () => {
  const listed = [...commandHelp.worker.matchAll(/(?<=[ ,])--([a-z-]+)/g)].map(([, name]) => name);
  // One stands there twice: as what has a line of its own, or to say where more is said.
  const taken = [...readingFlags, ...Object.keys(readingValued), "heartbeat", "help"];
  assertEquals([...new Set(listed)].sort(), taken.sort());
});
