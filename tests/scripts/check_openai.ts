// Checks that OpenAI's package of npm captions pictures against `caption.ts serve` as it does elsewhere, streaming and not.
import { assert, assertEquals, assertRejects } from "@std/assert";
import OpenAI from "npm:openai@^7.59.0";

const root = new URL("../../", import.meta.url);
const texts = { "line.png": "ninth century Zen master", "date.png": "2/8/2021" };
const apiKey = "key-of-the-check";

function messagesOf(name: string): OpenAI.ChatCompletionMessageParam[] {
  const url = `data:image/png;base64,${Deno.readFileSync(new URL(`assets/examples/${name}`, root)).toBase64()}`;
  return [
    { role: "system", content: "You read pictures." },
    {
      role: "user",
      content: [{ type: "text", text: "What is written here?" }, { type: "image_url", image_url: { url } }],
    },
  ];
}

async function check(client: OpenAI): Promise<void> {
  const models = (await Array.fromAsync(client.models.list())).map(({ id }) => id);
  assertEquals(models.length, 1);
  const [model] = models;
  assertEquals((await client.models.retrieve(model)).id, model);
  for (const [name, text] of Object.entries(texts)) {
    const messages = messagesOf(name);
    const whole = await client.chat.completions.create({ model, messages, max_tokens: 60, temperature: 0 });
    assertEquals([whole.choices[0].message.content, whole.choices[0].finish_reason], [text, "stop"]);
    assert(whole.usage!.completion_tokens > 0);
    const stream_options = { include_usage: true };
    const stream = await client.chat.completions.create({ model, messages, stream: true, stream_options });
    const chunks = await Array.fromAsync(stream);
    const pieces = chunks.flatMap(({ choices }) => choices.map(({ delta }) => delta.content ?? ""));
    assertEquals(pieces.join(""), text);
    assert(pieces.length > 5, `${pieces.length} pieces`);
    assertEquals(chunks.at(-1)!.usage!.completion_tokens, whole.usage!.completion_tokens);
    // The package's own helper, which puts a stream's chunks together.
    const joined = await client.chat.completions.stream({ model, messages }).finalContent();
    assertEquals(joined, text);
  }
  const messages = messagesOf("line.png");
  const cut = await client.chat.completions.create({ model, messages, max_completion_tokens: 5 });
  assertEquals([cut.choices[0].finish_reason, cut.usage!.completion_tokens], ["length", 5]);
  const refusalOf = async (asked: Promise<unknown>): Promise<unknown[]> => {
    const error = await assertRejects(() => asked, OpenAI.APIError) as InstanceType<typeof OpenAI.APIError>;
    assert(error.code);
    return [error.constructor, error.status];
  };
  const unknown = client.chat.completions.create({ model: "gpt-4o", messages });
  assertEquals(await refusalOf(unknown), [OpenAI.NotFoundError, 404]);
  const pictureless = client.chat.completions.create({ model, messages: [{ role: "user", content: "hello" }] });
  assertEquals(await refusalOf(pictureless), [OpenAI.BadRequestError, 400]);
  const other = client.withOptions({ apiKey: "another" });
  assertEquals(await refusalOf(Array.fromAsync(other.models.list())), [OpenAI.AuthenticationError, 401]);
}

const args = ["run", "-A", "--quiet", "caption.ts", "serve", "--port", "0", "--backend", "ffi", "--log", "none"];
const server = new Deno.Command(Deno.execPath(), {
  ...{ args, cwd: root, env: { LIMNER_API_KEY: apiKey }, stdin: "null", stdout: "piped" },
}).spawn();
try {
  const reader = server.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const base = /http:\/\/\S+/.exec((await reader.read()).value!)![0];
  const client = new OpenAI({ baseURL: `${base}/v1`, apiKey, maxRetries: 0, timeout: 120_000 });
  await check(client);
  server.kill("SIGTERM");
  assertEquals((await server.status).code, 0);
  await reader.cancel();
  console.log(`openai of npm: models, completions, streams and errors as OpenAI's own`);
} finally {
  try {
    server.kill("SIGKILL");
  } catch {
    // It has ended.
  }
}
