import { assertEquals, assertRejects } from "@std/assert";
import { Captioner, ConfigError, loadBackend, OptionError, RawImage, ShapeError, Tensor } from "../../mod.ts";

const line = (file: string) => new URL(`../fixtures/lines/${file}`, import.meta.url);
/** What PyTorch reads in them. */
const texts = { "000.png": "undisputed multiverses", "001.png": "plug it in." };

Deno.test("Captioner reads paths, bytes, blobs and pixels alike", async () => {
  await using captioner = await Captioner.load(undefined, { backend: "ffi" });
  const bytes = await Deno.readFile(line("001.png"));
  const expected = texts["001.png"];
  assertEquals(await captioner.caption(line("001.png").pathname), expected);
  assertEquals(await captioner.caption(line("001.png")), expected);
  assertEquals(await captioner.caption(bytes), expected);
  assertEquals(await captioner.caption(new Blob([bytes])), expected);
  assertEquals(await captioner.caption([]), []);
  assertEquals(await captioner.caption([line("000.png"), line("001.png")]), [texts["000.png"], expected]);
});

Deno.test("Captioner.stream() gives the text in pieces, and stopping early leaves the model usable", async () => {
  await using captioner = await Captioner.load(undefined, { backend: "ffi" });
  const pieces: string[] = [];
  for await (const piece of captioner.stream(line("000.png"))) pieces.push(piece);
  assertEquals(pieces.join(""), texts["000.png"]);
  assertEquals(pieces.length > 10, true);
  for await (const piece of captioner.stream(line("000.png"))) {
    assertEquals(piece, pieces[0]);
    break;
  }
  assertEquals(await captioner.caption(line("001.png")), texts["001.png"]);
});

Deno.test("calls that are under way at once each give their own result", async () => {
  await using captioner = await Captioner.load(undefined, { backend: "ffi" });
  const files = ["000.png", "001.png", "000.png"] as const;
  const results = await Promise.all(files.map((file) => captioner.caption(line(file))));
  assertEquals(results, files.map((file) => texts[file]));
});

Deno.test("an aborted generation throws the signal's reason, and the next one works", async () => {
  await using captioner = await Captioner.load(undefined, { backend: "ffi" });
  const stop = new AbortController();
  let steps = 0;
  const streamer = {
    put: () => {
      if (++steps === 3) stop.abort(new Error("enough"));
    },
    end: () => {},
  };
  await assertRejects(() => captioner.caption(line("000.png"), { signal: stop.signal, streamer }), Error, "enough");
  assertEquals(steps < 6, true);
  assertEquals(await captioner.caption(line("001.png")), texts["001.png"]);
});

Deno.test("a model's memory is released with it, and its given backend stays", async () => {
  await using backend = await loadBackend("ffi");
  for (let i = 0; i < 2; i++) {
    {
      await using captioner = await Captioner.load(undefined, { backend });
      await captioner.caption(line("001.png"));
      assertEquals(backend.counters.weightBytes > 16e6, true);
    }
    assertEquals([backend.counters.liveHandles, backend.counters.weightBytes], [0, 0]);
  }
});

Deno.test("generate() refuses pictures, prompts and lengths that do not fit", async () => {
  await using captioner = await Captioner.load(undefined, { backend: "reference" });
  const { model } = captioner;
  const picture = new Tensor("float32", [1, 3, 32, 512], new Float32Array(3 * 32 * 512));
  const grey = new Tensor("float32", [1, 1, 32, 512], new Float32Array(32 * 512));
  const small = new Tensor("float32", [1, 3, 32, 256], new Float32Array(3 * 32 * 256));
  await assertRejects(() => model.generate(grey), ShapeError, "[1, 1, 32, 512]");
  await assertRejects(() => model.generate(small), ShapeError, "32 × 256");
  await assertRejects(() => model.generate(picture, { maxLength: 0 }), OptionError, "maxLength");
  await assertRejects(() => model.generate(picture, { decoderInputIds: [[2, 9999]] }), OptionError, "9999");
  await assertRejects(() => model.generate(picture, { decoderInputIds: [[2], [2]] }), OptionError, "2 rows");
  await assertRejects(() => model.generate(picture, { numBeem: 3 } as never), OptionError, '"numBeem"');
  await assertRejects(
    () => model.generate(picture, { decoderStartTokenId: null, maxNewTokens: 1000 }),
    OptionError,
    "positions",
  );
  model.generationConfig.decoder_start_token_id = null;
  model.generationConfig.bos_token_id = null;
  await assertRejects(() => model.generate(picture), ConfigError, "decoder_start_token_id");
  await assertRejects(() => model.forward({ pixelValues: picture, decoderInputIds: [[1], [1]] }), ShapeError, "2 rows");
});

Deno.test("a batch whose rows end at different times is padded, and cut rows are told", async () => {
  await using captioner = await Captioner.load(undefined, { backend: "ffi" });
  const white = new RawImage(new Uint8Array(64 * 8 * 3).fill(255), 64, 8, 3);
  const { pixelValues } = captioner.processor([white, white]);
  const { sequences, truncated } = await captioner.model.generate(pixelValues, { maxNewTokens: 2, eosTokenId: null });
  assertEquals(sequences.map((row) => row.length), [3, 3]);
  assertEquals(truncated, [true, true]);
});

Deno.test("Captioner.stream() does without the beams that a model's settings ask for", async () => {
  await using captioner = await Captioner.load(undefined, { backend: "ffi" });
  captioner.model.generationConfig.num_beams = 4;
  const pieces: string[] = [];
  for await (const piece of captioner.stream(line("001.png"))) pieces.push(piece);
  assertEquals(pieces.join(""), texts["001.png"]);
  await assertRejects(
    async () => {
      for await (const piece of captioner.stream(line("001.png"), { numBeams: 2 })) pieces.push(piece);
    },
    OptionError,
    "streamer",
  );
  assertEquals(await captioner.caption(line("001.png")), texts["001.png"]);
});
