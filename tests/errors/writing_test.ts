// What is said where a file cannot be written, whoever writes it, and what is left then.
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  AutoImageProcessor,
  AutoTokenizer,
  defaultConfig,
  FormatError,
  HubError,
  Tensor,
  Trainer,
  VisionEncoderDecoderConfig,
  VisionEncoderDecoderModel,
  WriteError,
} from "../../mod.ts";
import { writeTrace } from "../../backends/webgpu/device/trace_files.ts";
import { writeSafetensors } from "../../src/checkpoint/mod.ts";
import { CaptionLog, rewriteLog, rowsOf } from "../../src/cli/fleet/caption_log.ts";
import { writeTable } from "../../src/cli/fleet/caption_table.ts";
import { whyNotWritten, writing } from "../../src/errors/writing.ts";
import { writeFileAtomically } from "../../src/hub/atomic_file.ts";
import { TrainingLog } from "../../src/training/report/training_log.ts";
import { withFolderOf } from "../folder_of_files.ts";

/** An error of the system, as Deno has it. */
const systemError = (code: string, message: string) => Object.assign(new Error(message), { code });
const full = systemError("ENOSPC", "No space left on device (os error 28)");

/** Do something on a disk that is full: files can be begun, and take nothing. */
async function onFullDisk(work: () => Promise<unknown>): Promise<void> {
  const { write, writeSync } = Deno.FsFile.prototype;
  const { writeTextFile } = Deno;
  const refuse = () => {
    throw full;
  };
  Object.assign(Deno.FsFile.prototype, { write: () => Promise.reject(full), writeSync: refuse });
  Deno.writeTextFile = () => Promise.reject(full);
  try {
    await work();
  } finally {
    Object.assign(Deno.FsFile.prototype, { write, writeSync });
    Deno.writeTextFile = writeTextFile;
  }
}

const tensor = new Tensor("float32", [1], Float32Array.of(1));
const modelFolder = new URL("../../assets/model", import.meta.url);
const config = VisionEncoderDecoderConfig.fromEncoderDecoderConfigs(
  defaultConfig("vit", { hidden_size: 8, num_hidden_layers: 1, num_attention_heads: 1, intermediate_size: 8 }),
  defaultConfig("gpt2", { n_embd: 8, n_layer: 1, n_head: 1, vocab_size: 8, n_positions: 8 }),
);

type Writer = readonly [file: string, write: () => Promise<unknown>];

/** Whatever writes a file at once, with the file; `others` write nothing at first, or by means of a library. */
async function writersIn(folder: string): Promise<{ writers: Writer[]; others: Writer[] } & AsyncDisposable> {
  const backend = "reference";
  const [model, adapted] = await Promise.all([
    VisionEncoderDecoderModel.fromConfig(config, { backend }),
    VisionEncoderDecoderModel.fromConfig(config, { backend }),
  ]);
  const trainer = await Trainer.create(adapted, {
    learningRate: 1,
    lora: { rank: 1, alpha: 1, targets: "all-linear" },
  });
  const [tokenizer, processor] = await Promise.all([
    AutoTokenizer.fromPretrained(modelFolder),
    AutoImageProcessor.fromPretrained(modelFolder),
  ]);
  const rows = async function* () {
    yield { file: "a.png", text: "a" };
  };
  return {
    writers: [
      ["model.safetensors", () => model.savePretrained(folder)],
      ["model.safetensors", () => model.savePretrained(folder, { maxShardSize: 100 })],
      ["tokenizer.json", () => tokenizer.savePretrained(folder)],
      ["preprocessor_config.json", () => processor.savePretrained(folder)],
      ["run.safetensors", () => writeSafetensors(`${folder}/run.safetensors`, new Map([["a", tensor]]))],
      ["adapter_model.safetensors", () => trainer.saveAdapter(folder)],
      ["texts.jsonl", () => rewriteLog(`${folder}/texts.jsonl`, rows())],
      ["texts.csv", () => writeTable(`${folder}/texts.csv`, rows())],
      ["sheet.png", () => writeFileAtomically(folder, "sheet.png", "a picture")],
    ],
    others: [
      ["log.jsonl", () => TrainingLog.open(`${folder}/log.jsonl`, 0).then((log) => log[Symbol.dispose]())],
      ["texts.parquet", () => writeTable(`${folder}/texts.parquet`, rows())],
    ],
    async [Symbol.asyncDispose]() {
      await trainer[Symbol.asyncDispose]();
      await model[Symbol.asyncDispose]();
      await adapted[Symbol.asyncDispose]();
    },
  };
}

const entriesOf = (folder: string) => [...Deno.readDirSync(folder)].map(({ name }) => name).sort();

Deno.test("whatever is written to a full disk is a WriteError that names the file, and leaves none", async () => {
  await withFolderOf({}, { "kept.json": "as it was" }, async (folder) => {
    await using writing = await writersIn(folder);
    for (const [file, write] of writing.writers) {
      await onFullDisk(async () => {
        const error = await assertRejects(write, WriteError, `Cannot write ${folder}/${file}: the disk is full`);
        assertEquals([error.path, error.cause], [`${folder}/${file}`, full]);
      });
      assertEquals(entriesOf(folder), ["kept.json"], file);
    }
  });
});

Deno.test("whatever is written where a folder has the file's name is a WriteError, and leaves all as it was", async () => {
  await withFolderOf({}, { "kept.json": "as it was" }, async (folder) => {
    await using writing = await writersIn(folder);
    for (const [index, [first, write]] of [...writing.writers, ...writing.others].entries()) {
      const file = index === 1 ? "model.safetensors.index.json" : first;
      await Deno.mkdir(`${folder}/${file}`);
      await assertRejects(write, WriteError, `Cannot write ${folder}/${file}: it is a folder`);
      assertEquals(entriesOf(folder), ["kept.json", file].sort(), file);
      await Deno.remove(`${folder}/${file}`);
    }
  });
});

Deno.test("logs that take no more lines say so, and so does a trace", async () => {
  await withFolderOf({}, {}, async (folder) => {
    using log = await TrainingLog.open(`${folder}/log.jsonl`, 0);
    using captions = await CaptionLog.open(`${folder}/texts.jsonl`);
    const entry = { step: 1, epoch: 1, loss: 1, learningRate: 1, gradNorm: 1, seconds: 1 };
    await onFullDisk(async () => {
      assertThrows(() => log.write(entry), WriteError, `Cannot write ${folder}/log.jsonl: the disk is full`);
      assertThrows(
        () => captions.append([{ file: "a.png" }]),
        WriteError,
        `Cannot write ${folder}/texts.jsonl: the disk is full`,
      );
      await assertRejects(
        () => writeTrace(`${folder}/trace`, []),
        WriteError,
        `Cannot write ${folder}/trace: the disk`,
      );
    });
    assertEquals((await Array.fromAsync(rowsOf(`${folder}/texts.jsonl`))).length, 0);
  });
});

Deno.test("writing() gives reasons for a person, and passes on what is none of the file system's", async () => {
  const reasons: [Error, string][] = [
    [new Error("File too large (os error 27)"), "a file may not be as large there"],
    [
      new Deno.errors.NotCapable('Requires write access to "/x", run again with the --allow-write flag'),
      "--allow-write",
    ],
    [systemError("EACCES", "Permission denied (os error 13): open '/x'"), "writing is not permitted there"],
    [systemError("EROFS", "Read-only file system (os error 30): open '/x'"), "its file system can only be read"],
    [systemError("EDQUOT", "Disk quota exceeded (os error 122)"), "the quota of the disk is used up"],
    [
      systemError("EIO", "Input/output error (os error 5): rename '/a: b' -> '/x'"),
      "/x: Input/output error (os error 5)",
    ],
  ];
  for (const [error, reason] of reasons) {
    const { message } = await assertRejects(() => writing("/x", () => Promise.reject(error)), WriteError, reason);
    assert(message.startsWith("Cannot write /x: ") && !message.includes("'"), message);
  }
  const refused = new HubError("Cannot fetch x: Connection refused (os error 111)");
  for (
    const error of [new FormatError("a tensor"), new TypeError("ours"), refused, "a reason", systemError("ERR_X", "a")]
  ) {
    assertEquals(whyNotWritten(error), undefined);
    assertEquals(await writing("/x", () => Promise.reject(error)).catch((found) => found), error);
  }
  const name = "a".repeat(300);
  await assertRejects(() => writeFileAtomically("/", name, ""), WriteError, `/${name}: its name is too long`);
});
