// Folders that files are saved to, and what is said where they cannot be made.
import { assertEquals, assertRejects } from "@std/assert";
import {
  AutoImageProcessor,
  AutoTokenizer,
  defaultConfig,
  HubError,
  VisionEncoderDecoderConfig,
  VisionEncoderDecoderModel,
  WriteError,
} from "../../mod.ts";
import { checkFolder } from "../../src/hub/make_folder.ts";
import { withFolderOf } from "../folder_of_files.ts";
import { namesIn } from "./hub_fixture.ts";

Deno.test("what is saved to a folder that cannot be made is refused with the reason, and to one without a name too", async () => {
  const config = VisionEncoderDecoderConfig.fromEncoderDecoderConfigs(
    defaultConfig("vit", { hidden_size: 8, num_hidden_layers: 1, num_attention_heads: 1, intermediate_size: 8 }),
    defaultConfig("gpt2", { n_embd: 8, n_layer: 1, n_head: 1, vocab_size: 8, n_positions: 8 }),
  );
  await using model = await VisionEncoderDecoderModel.fromConfig(config, { backend: "reference" });
  const name = new URL("../../assets/model", import.meta.url);
  const [tokenizer, processor] = [
    await AutoTokenizer.fromPretrained(name),
    await AutoImageProcessor.fromPretrained(name),
  ];
  await withFolderOf({}, { file: "" }, async (folder) => {
    const reasons = {
      "": "it has no name",
      [`${folder}/file`]: "it is a file",
      [`${folder}/file/inside`]: "what should be its folder is a file",
    };
    for (const [path, reason] of Object.entries(reasons)) {
      for (const part of [model, tokenizer, processor]) {
        await assertRejects(() => part.savePretrained(path), HubError, reason);
      }
    }
    assertEquals(await namesIn(folder), ["file"]);
  });
});

Deno.test("checkFolder() finds out whether a folder can be written or made, and leaves nothing", async () => {
  await withFolderOf({}, { "file": "", "there/kept": "" }, async (folder) => {
    for (const path of [folder, `${folder}/there/`, `${folder}/a/b`, new URL(`file://${folder}/c`)]) {
      await checkFolder(path);
    }
    await assertRejects(() => checkFolder(`${folder}/file/a/b`), WriteError, "what should be its folder is a file");
    await assertRejects(() => checkFolder(""), HubError, "it has no name");
    await assertRejects(() => checkFolder("/proc/limner"), WriteError, "Cannot make the folder /proc/limner: ");
    assertEquals(await namesIn(folder), ["file", "there"]);
    assertEquals(await namesIn(`${folder}/there`), ["kept"]);
  });
});
