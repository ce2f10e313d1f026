// Texts under load: as they are alone, whoever shares their run; nothing is left of what is given up.
import { assert, assertEquals } from "@std/assert";
import { FairQueue } from "../../src/serve/scheduler/fair_queue.ts";
import { testedBackends } from "../backends/tested_backends.ts";
import { examples, serving } from "./server_process.ts";

Deno.test("FairQueue serves callers in turn, and in their order", () => {
  const queue = new FairQueue<{ caller: string; n: number }>();
  for (let n = 0; n < 5; n++) queue.push({ caller: "many", n });
  for (let n = 0; n < 2; n++) queue.push({ caller: "few", n });
  const gone = { caller: "gone", n: 0 };
  queue.push(gone);
  assertEquals([queue.remove(gone), queue.remove(gone), queue.length], [true, false, 7]);
  const order = Array.from({ length: 7 }, () => queue.shift()!).map(({ caller, n }) => `${caller} ${n}`);
  assertEquals(order, ["many 0", "few 0", "many 1", "few 1", "many 2", "many 3", "many 4"]);
  assertEquals([queue.shift(), queue.length], [undefined, 0]);
});

/** What clients ask for, each something else. */
const queries = [
  "",
  "?maxNewTokens=4",
  "?doSample=true&seed=7&temperature=6",
  "?doSample=true&seed=8&topP=0.99&temperature=8",
  "?repetitionPenalty=1.4",
  "?noRepeatNgramSize=2",
  "?minNewTokens=30&maxNewTokens=40",
  "?numBeams=2",
];

/** The text of an answer, or its error. */
async function textOf(answer: Response): Promise<string> {
  const { text, error } = await answer.json();
  return text ?? `${answer.status} ${error.message}`;
}

Deno.test("16 clients with options of their own get the texts that they get alone", async () => {
  await using server = await serving({ slots: 8 });
  const ask = async (i: number): Promise<string> => {
    const { picture } = examples[Math.floor(i / queries.length)];
    return await textOf(await server.post(`/caption${queries[i % queries.length]}`, picture));
  };
  const cases = Array.from({ length: queries.length * examples.length }, (_, i) => i);
  const alone: string[] = [];
  for (const i of cases) alone.push(await ask(i));
  for (let round = 0; round < 2; round++) {
    let next = 0;
    const found: string[] = [];
    await Promise.all(Array.from({ length: 16 }, async () => {
      for (let at; (at = next++) < cases.length;) found[at] = await ask(cases[at]);
    }));
    assertEquals(found, alone);
  }
  assert(alone.includes(examples[0].text));
  assert(new Set(alone).size >= 4 * examples.length, `${new Set(alone).size} texts`);
  // Texts did share steps.
  const [steps, tokens] = [await server.metric("limner_steps_total"), await server.metric("limner_tokens_total")];
  assert(steps < 0.6 * tokens, `${steps} steps for ${tokens} tokens`);
});

Deno.test("texts by beams share steps, and wait for as many slots as they have beams", async () => {
  await using server = await serving({ slots: 6 });
  const ask = async (i: number, beams: number): Promise<string> =>
    textOf(await server.post(`/caption?numBeams=${beams}`, examples[i].picture));
  const cases = examples.flatMap((_, i) => [[i, 2], [i, 4], [i, 1]] as const);
  const alone: string[] = [];
  for (const [i, beams] of cases) alone.push(await ask(i, beams));
  const before = await server.metric("limner_steps_total");
  assertEquals(await Promise.all(cases.map(([i, beams]) => ask(i, beams))), alone);
  const steps = await server.metric("limner_steps_total");
  assert(before > 0 && steps - before < 0.75 * before, `${steps - before} steps, alone ${before}`);
  // More beams than slots are written beside them.
  assertEquals(await ask(0, 8), examples[0].text);
  assertEquals(await server.metric("limner_steps_total"), steps);
  await server.idle();
});

Deno.test("clients that leave free their slots, and nothing stays behind", async () => {
  await using server = await serving({ slots: 4 });
  const { picture, text } = examples[0];
  const leave = async (after: number, accept: string) => {
    const stop = new AbortController();
    setTimeout(() => stop.abort(), after);
    try {
      const body = picture;
      const asked = `${server.base}/caption?minNewTokens=60&maxNewTokens=60`;
      await (await fetch(asked, { method: "POST", body, headers: { accept }, signal: stop.signal })).text();
    } catch (error) {
      assertEquals((error as Error).name, "AbortError");
    }
  };
  const accepts = ["application/json", "text/event-stream"];
  const handles: number[] = [];
  const steady = () => handles.length >= 3 && new Set(handles.slice(-3)).size === 1;
  // Programs are bound when they are first needed, for each number of rows: after some rounds all are.
  for (let round = 0; round < 12 && !steady(); round++) {
    await Promise.all(Array.from({ length: 12 }, (_, i) => leave(5 + 15 * i, accepts[i % 2])));
    await server.idle();
    handles.push(await server.metric("limner_handles"));
  }
  assert(await server.metric("limner_aborted_total") > 0);
  assert(steady(), `handles: ${handles}`);
  assertEquals((await (await server.post("/caption", picture)).json()).text, text);
});

Deno.test("what is too much is refused with 429, and in time with 408", async () => {
  await using server = await serving({ slots: 1, maxWaiting: 2 });
  const { picture } = examples[0];
  const answers = await Promise.all(Array.from({ length: 12 }, () => server.post("/caption", picture)));
  const statuses = answers.map(({ status }) => status);
  for (const answer of answers) {
    if (answer.status === 429) assertEquals(answer.headers.get("retry-after"), "1");
    await answer.body?.cancel();
  }
  assert(statuses.includes(200) && statuses.includes(429), `${statuses}`);
  await using hurried = await serving({ requestTimeout: 1 });
  const late = await hurried.post("/caption?minNewTokens=60", picture);
  assertEquals([late.status, (await late.json()).error.code], [408, "timeout"]);
  await hurried.idle();
});

Deno.test("a handler that closes answers what runs, and refuses the rest with 503", async () => {
  const server = await serving({ slots: 2 });
  const { picture, text } = examples[0];
  const asked = () => new Request(`${server.base}/caption`, { method: "POST", body: picture });
  const running = Array.from({ length: 5 }, () => server.handler.fetch(asked()));
  const closed = server[Symbol.asyncDispose]();
  const refused = await server.handler.fetch(asked());
  assertEquals([refused.status, (await refused.json()).error.code], [503, "closing"]);
  for (const answer of await Promise.all(running)) assertEquals((await answer.json()).text, text);
  await closed;
});

for (const backend of testedBackends) {
  if (backend === "ffi") continue;
  Deno.test(`slots on ${backend}: requests at once get the texts of the pictures`, async () => {
    await using server = await serving({ slots: 2 }, backend);
    const some = examples.slice(2);
    const answers = await Promise.all(some.map(({ picture }) => server.post("/caption?maxNewTokens=3", picture)));
    const found = await Promise.all(answers.map(async (answer) => (await answer.json()).text));
    assertEquals(found, some.map(({ text }) => text.slice(0, 3)));
  });
}

Deno.test("a request whose options leave no token to draw fails alone", async () => {
  await using server = await serving({ slots: 4 });
  const { model, tokenizer } = server.captioner;
  const letters = tokenizer.encode("abc", { addSpecialTokens: false }).inputIds;
  const others = Array.from({ length: tokenizer.vocabularySize }, (_, id) => id).filter((id) => !letters.includes(id));
  model.generationConfig.suppress_tokens = others;
  const { picture } = examples[0];
  const alone = await textOf(await server.post("/caption?maxNewTokens=20", picture));
  assert(/^[abc]{20}$/.test(alone), alone);
  const asked = ["", "&doSample=true&noRepeatNgramSize=1", "", "&doSample=true&noRepeatNgramSize=1&numBeams=2"];
  const answers = await Promise.all(asked.map((more) => server.post(`/caption?maxNewTokens=20${more}`, picture)));
  const [first, drawn, second, searched] = await Promise.all(answers.map(textOf));
  assertEquals([first, second], [alone, alone]);
  for (const answer of [drawn, searched]) assert(answer.includes("every one is forbidden"), answer);
});
