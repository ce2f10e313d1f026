// Servers that do not answer 404 for a file that is not there.
import { assert, assertEquals, assertRejects } from "@std/assert";
import { AutoTokenizer, Captioner, LimnerError, VisionEncoderDecoderModel } from "../../mod.ts";

const model = new URL("../../assets/model/", import.meta.url);
const page = "<!-- a site -->\n<!DOCTYPE html><html><body>There is no such page, but here is our site</body></html>";

/** The embedded model behind a server that answers `absent` for what is not there, or for what `hidden` names. */
async function serving(
  absent: () => Response,
  use: (address: string) => Promise<void>,
  hidden: (file: string) => boolean = () => false,
): Promise<void> {
  await using server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, async (request) => {
    const file = new URL(request.url).pathname.slice(1);
    if (hidden(file)) return absent();
    const bytes = await Deno.readFile(new URL(file, model)).catch(() => undefined);
    return bytes ? new Response(bytes) : absent();
  });
  await use(`http://127.0.0.1:${server.addr.port}/`);
}

const answers: Readonly<Record<string, () => Response>> = {
  "403": () => new Response("<Error><Code>AccessDenied</Code></Error>", { status: 403 }),
  "an HTML page": () => new Response(page, { headers: { "content-type": "text/html" } }),
};
for (const [name, absent] of Object.entries(answers)) {
  Deno.test(`Captioner.load() reads from a server that answers ${name} for optional files`, async () => {
    await serving(absent, async (address) => {
      await using captioner = await Captioner.load(address, { backend: "reference" });
      assertEquals(captioner.model.unusedTensors, []);
      assertEquals(captioner.tokenizer.vocabularySize, (await AutoTokenizer.fromPretrained(model)).vocabularySize);
    });
  });

  Deno.test(`what is missed of a server that answers ${name} is said with its answer`, async () => {
    const needed: readonly [file: RegExp, load: (address: string) => Promise<unknown>][] = [
      [/^config\.json$/, (address) => VisionEncoderDecoderModel.fromPretrained(address, { backend: "reference" })],
      [/safetensors$/, (address) => VisionEncoderDecoderModel.fromPretrained(address, { backend: "reference" })],
      [/^tokenizer\.json$/, (address) => AutoTokenizer.fromPretrained(address)],
      [/^preprocessor_config/, (address) => Captioner.load(address, { backend: "reference" })],
    ];
    for (const [file, load] of needed) {
      await serving(absent, async (address) => {
        const { message } = await assertRejects(() => load(address), LimnerError);
        assert(message.includes(name === "403" ? "the server answered 403" : "answered with an HTML page"), message);
      }, (name) => file.test(name));
    }
  });
}
