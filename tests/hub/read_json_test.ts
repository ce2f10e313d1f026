import { assert, assertEquals, assertThrows } from "@std/assert";
import { FormatError, VisionEncoderDecoderModel } from "../../mod.ts";
import { parseJson } from "../../src/hub/mod.ts";
import { formatJson } from "../../src/hub/write_json.ts";

Deno.test("parseJson() reads the numbers that Python's json writes, and leaves texts alone", () => {
  const text = '{"a": NaN, "b": [Infinity, -Infinity], "NaN": "x NaN \\\\", "c": "\\"Infinity", "d": {"NaN": NaN}}';
  assertEquals(parseJson(text, "f"), {
    a: NaN,
    b: [Infinity, -Infinity],
    NaN: "x NaN \\",
    c: '"Infinity',
    d: { NaN: NaN },
  });
  assertEquals(parseJson("NaN", "f"), NaN);
  assertEquals(
    formatJson({ a: NaN, b: ["NaN", -Infinity] }),
    '{\n  "a": NaN,\n  "b": [\n    "NaN",\n    -Infinity\n  ]\n}',
  );
});

Deno.test("parseJson() refuses what Python's json refuses, by the text as it stands", () => {
  for (
    const text of [
      '{"a": nan}',
      '{"a": +Infinity}',
      '{"a": NaNs}',
      "[Infinity",
      "{NaN: 1}",
      "[1Infinity]",
      "[-1.Infinity]",
      '{"a": -NaN}',
      '"NaN',
    ]
  ) {
    const { message } = assertThrows(() => parseJson(text, "the file"), FormatError);
    assert(message.startsWith("Cannot read the file: it is not JSON: "), message);
    assert(!message.includes("1e999") && !message.includes("u0000"), message);
  }
});

Deno.test("a model whose JSON files hold NaN and Infinity is read, and saved with them", async () => {
  const plain = new URL("../fixtures/field/foreign_names/plain/", import.meta.url);
  const folder = await Deno.makeTempDir();
  try {
    await Deno.copyFile(new URL("model.safetensors", plain), `${folder}/model.safetensors`);
    for (const [file, extra] of [["config.json", '"best": NaN,'], ["generation_config.json", '"worst": -Infinity,']]) {
      const text = await Deno.readTextFile(new URL(file, plain));
      await Deno.writeTextFile(`${folder}/${file}`, text.replace("{", `{${extra}`));
    }
    await using model = await VisionEncoderDecoderModel.fromPretrained(folder, { backend: "reference" });
    assertEquals(model.config.best, NaN);
    assertEquals(model.generationConfig.worst, -Infinity);
    await model.savePretrained(`${folder}/saved`);
    assert((await Deno.readTextFile(`${folder}/saved/config.json`)).includes('"best": NaN,'));
    assert((await Deno.readTextFile(`${folder}/saved/generation_config.json`)).includes('"worst": -Infinity'));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
