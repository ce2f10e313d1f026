// What the server answers, asked over the loopback.
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { chat, dataUrl, eventsOf, examples, serving } from "./server_process.ts";

const [{ picture, text }] = examples;

Deno.test("POST /caption takes a picture as its body, in a form and in JSON", async () => {
  await using server = await serving();
  const form = new FormData();
  form.append("image", new File([picture], "line.png"));
  const forms = [
    await server.post("/caption", picture, { "content-type": "image/png" }),
    await server.post("/caption", picture),
    await server.post("/caption", form),
    await server.post("/caption", JSON.stringify({ image: picture.toBase64() }), {
      "content-type": "application/json",
    }),
    await server.post("/caption", JSON.stringify({ image: dataUrl(picture) }), { "content-type": "application/json" }),
  ];
  for (const answer of forms) {
    assertEquals(answer.status, 200);
    const { text: found, confidence, words, truncated, milliseconds, timings } = await answer.json();
    assertEquals(found, text);
    assertEquals(words.map((word: { text: string }) => word.text), text.split(" "));
    assert(confidence > 0.5 && confidence <= 1);
    assertEquals(truncated, false);
    assert(milliseconds >= timings.encode + timings.decode);
  }
  const cut = await (await server.post("/caption?maxNewTokens=3", picture)).json();
  assertEquals([cut.truncated, cut.text], [true, text.slice(0, 3)]);
  const [whole] = await server.captioner.captions(picture);
  const { confidence } = await (await server.post("/caption", picture)).json();
  assert(Math.abs(confidence - whole.confidence) < 1e-4);
});

Deno.test("POST /caption streams the text as events that join to it", async () => {
  await using server = await serving();
  const answer = await server.post("/caption", picture, { accept: "text/event-stream" });
  assertEquals(answer.headers.get("content-type"), "text/event-stream");
  const events = eventsOf(await answer.text());
  const pieces = events.filter(({ name }) => name === "text").map(({ data }) => JSON.parse(data).text);
  assert(pieces.length > 5);
  assertEquals(pieces.join(""), text);
  assertEquals(events.at(-1)!.name, "caption");
  assertEquals(JSON.parse(events.at(-1)!.data).text, text);
  const refused = await server.post("/caption?numBeams=2", picture, { accept: "text/event-stream" });
  assertEquals([refused.status, (await refused.json()).error.code], [400, "invalid_option"]);
});

Deno.test("POST /caption streams the start and end tokens that its text has, where these are not special", async () => {
  await using server = await serving();
  const { model: { generationConfig }, tokenizer } = server.captioner;
  const [start, end] = ["T", "r"].map((letter) => tokenizer.encode(letter, { addSpecialTokens: false }).inputIds[0]);
  Object.assign(generationConfig, { decoder_start_token_id: start, eos_token_id: end });
  const events = eventsOf(await (await server.post("/caption", picture, { accept: "text/event-stream" })).text());
  const pieces = events.filter(({ name }) => name === "text").map(({ data }) => JSON.parse(data).text);
  const whole = JSON.parse(events.at(-1)!.data).text;
  assert(whole.startsWith("T") && whole.endsWith("r"), whole);
  assertEquals(pieces.join(""), whole);
});

Deno.test("POST /v1/chat/completions answers as OpenAI does, whole and in chunks", async () => {
  await using server = await serving({ modelName: "reader" });
  const body = chat(dataUrl(picture), { model: "reader", max_tokens: 60, temperature: 0, n: 1, user: "me" });
  const whole = await (await server.post("/v1/chat/completions", body)).json();
  assertEquals(whole.object, "chat.completion");
  assertEquals(whole.choices[0].message, { role: "assistant", content: text, refusal: null });
  assertEquals(whole.choices[0].finish_reason, "stop");
  assertEquals(whole.usage.total_tokens, whole.usage.prompt_tokens + whole.usage.completion_tokens);
  const asked = chat(dataUrl(picture), {
    ...{ model: "reader", stream: true, stream_options: { include_usage: true }, max_completion_tokens: 5 },
  });
  const events = eventsOf(await (await server.post("/v1/chat/completions", asked)).text());
  assertEquals(events.pop()!.data, "[DONE]");
  const chunks = events.map(({ data }) => JSON.parse(data));
  assertEquals(chunks.at(-1).usage.completion_tokens, 5);
  const choices = chunks.flatMap(({ choices }) => choices);
  assertEquals(choices.map(({ delta }) => delta.content ?? "").join(""), text.slice(0, 5));
  assertEquals(choices.at(-1).finish_reason, "length");
  const { data } = await (await fetch(`${server.base}/v1/models`)).json();
  assertEquals(data.map(({ id }: { id: string }) => id), ["reader"]);
  assertEquals((await (await fetch(`${server.base}/v1/models/reader`)).json()).id, "reader");
});

Deno.test("chat completions refuse by name what would change the answer and is not done", async () => {
  await using server = await serving();
  const fields = {
    n: 2,
    stop: ["a"],
    tools: [{}],
    logprobs: true,
    response_format: { type: "json_object" },
    nonsense: 1,
  };
  for (const [name, value] of Object.entries(fields)) {
    const answer = await server.post("/v1/chat/completions", chat(dataUrl(picture), { [name]: value }));
    assertEquals(answer.status, 400, name);
    assertStringIncludes((await answer.json()).error.message, name);
  }
  const other = await server.post("/v1/chat/completions", chat(dataUrl(picture), { model: "gpt-4o" }));
  assertEquals([other.status, (await other.json()).error.code], [404, "model_not_found"]);
});

Deno.test("a key is asked for everywhere but by probes, and CORS only where it is allowed", async () => {
  await using server = await serving({ apiKey: ["key-of-one", "key-of-two"], cors: ["https://page.example"] });
  const wrong: HeadersInit[] = [{}, { authorization: "Bearer third" }, { "x-api-key": "" }, {
    authorization: "key-of-one",
  }];
  for (const headers of wrong) {
    const answer = await server.post("/caption", picture, headers);
    assertEquals([answer.status, (await answer.json()).error.code], [401, "invalid_api_key"]);
  }
  for (const path of ["/metrics", "/openapi.json", "/v1/models"]) {
    const answer = await fetch(server.base + path);
    assertEquals(answer.status, 401, path);
    await answer.body?.cancel();
  }
  const right: HeadersInit[] = [{ authorization: "Bearer key-of-two" }, { "x-api-key": "key-of-one" }];
  for (const headers of right) {
    assertEquals((await (await server.post("/caption", picture, headers)).json()).text, text);
  }
  assertEquals((await (await fetch(`${server.base}/healthz`)).json()).status, "ok");
  assertEquals((await (await fetch(`${server.base}/readyz`)).json()).status, "ready");
  const origin = (from: string) => ({ method: "OPTIONS", headers: { origin: from } });
  const allowed = await fetch(`${server.base}/caption`, origin("https://page.example"));
  assertEquals(allowed.headers.get("access-control-allow-origin"), "https://page.example");
  const refused = await fetch(`${server.base}/caption`, origin("https://other.example"));
  assertEquals(refused.headers.get("access-control-allow-origin"), null);
  assert(server.logs.length > 8);
  assert(!/key-of|third/.test(JSON.stringify(server.logs)), "a key is in the log");
});

Deno.test("/metrics, /openapi.json: what was counted, and a description of what there is", async () => {
  await using server = await serving();
  await (await server.post("/caption", picture)).text();
  const metrics = await (await fetch(`${server.base}/metrics`)).text();
  for (const line of metrics.trim().split("\n")) {
    assert(
      /^(?:# (?:HELP|TYPE) limner_\w+ .+|limner_\w+(?:\{\w+="[^"]*"(?:,\w+="[^"]*")*\})? [\d.e+-]+)$/.test(line),
      line,
    );
  }
  assertStringIncludes(metrics, 'limner_part_seconds_count{part="decode"} 1');
  assertStringIncludes(metrics, 'limner_requests_total{route="/caption",status="200"} 1');
  assertEquals(await server.metric("limner_tokens_total"), text.length + 1);
  const { openapi, paths } = await (await fetch(`${server.base}/openapi.json`)).json();
  assertEquals(openapi, "3.1.0");
  for (const path of Object.keys(paths)) {
    const answer = await fetch(server.base + path.replace("{model}", "limner"));
    assert(answer.status === 200 || answer.status === 405, `${path} ${answer.status}`);
    await answer.body?.cancel();
  }
});
