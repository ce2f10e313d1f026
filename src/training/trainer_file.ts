// A run's state in one file, which appears in one moment: the trained parameters in float32, the moments beside them, and how
// far the run has come. So a process that is killed while saving leaves the state before or the state after.
import { openWeightFile, writeSafetensors } from "../checkpoint/mod.ts";
import { FormatError, HubError } from "../errors/mod.ts";
import { makeFolder } from "../hub/make_folder.ts";
import { FileSource, isRecord, parseJson, toFolderPath } from "../hub/mod.ts";
import { Tensor } from "../tensor/mod.ts";
import type { StoredWeight } from "../weights/mod.ts";
import { checkDescription, type RunDescription } from "./run_description.ts";

/** The file's name, beside the model's files. */
export const trainerFile = "trainer.safetensors";

/** The tensor that holds the description, as UTF-8. */
const descriptionName = "description";
const version = 1;

/** The most bytes of a description; it has a name for each parameter that decays. */
const longestDescription = 2 ** 24;

/** The name of a trained parameter's tensor. */
export const parameterName = (name: string): string => `parameter.${name}`;

/** Tensors to write: their shapes, and how each is read. All are float32. */
export interface RunTensors {
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  read(name: string): Promise<Tensor>;
}

/** Write a run's state. */
export async function writeRun(
  folder: string | URL,
  description: RunDescription,
  { shapes, read }: RunTensors,
): Promise<void> {
  const text = new TextEncoder().encode(JSON.stringify({ version, ...description }));
  const described = new Tensor("uint8", [text.length], text);
  const parameters = new Map<string, Pick<StoredWeight, "dataType" | "shape">>([[descriptionName, described]]);
  for (const [name, shape] of shapes) parameters.set(name, { dataType: "float32", shape });
  const path = await makeFolder(folder);
  await writeSafetensors(`${path}/${trainerFile}`, {
    parameters,
    read: (name) => name === descriptionName ? Promise.resolve(described) : read(name),
  });
}

/** Whether a folder holds a run. */
export async function hasRun(folder: string | URL): Promise<boolean> {
  return await FileSource.open(`${toFolderPath(folder)}/${trainerFile}`) !== undefined;
}

/** A run's state, opened. */
export interface OpenedRun {
  readonly description: RunDescription;
  /** The tensors by name, each read when it is loaded. */
  readonly tensors: ReadonlyMap<string, StoredWeight>;
}

/**
 * Open a run's state.
 *
 * @throws {HubError} If the folder has none.
 * @throws {FormatError} If the file is malformed, of another version, or describes no run that can be.
 */
export async function openRun(folder: string | URL): Promise<OpenedRun> {
  const path = `${toFolderPath(folder)}/${trainerFile}`;
  const source = await FileSource.open(path);
  if (!source) {
    throw new HubError(`Cannot resume from ${folder}: there is no ${trainerFile} in it, which trainer.save writes`);
  }
  const tensors = new Map(await openWeightFile(source));
  const stored = tensors.get(descriptionName);
  tensors.delete(descriptionName);
  const isText = stored?.dataType === "uint8" && stored.shape.length === 1 && stored.shape[0] <= longestDescription;
  const text = isText && new TextDecoder().decode((await stored.load()).data as Uint8Array<ArrayBuffer>);
  const value = text && parseJson(text, path);
  if (isRecord(value) && value.version === version) return { description: checkDescription(value, path), tensors };
  throw new FormatError(`Cannot resume from ${path}: it does not describe a run of version ${version}`, { file: path });
}
