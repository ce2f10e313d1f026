// Folders that files are saved to, and what is said where they cannot be made.
import { assertEquals, assertRejects } from "@std/assert";
import {
  AutoImageProcessor,
  AutoTokenizer,
  defaultConfig,
  HubError,
  VisionEncoderDecoderConfig,
  VisionEncoderDecoderModel,
} from "../../mod.ts";
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
