// The page: a picture comes in, goes to the worker, and its text appears. Only what is seen is done here; the worker does the work.
import { takePicture } from "./camera.ts";
import { hideHeat, showHeat } from "./heat.ts";
import { keep } from "./kept.ts";
import type { Answer, Reading, Request } from "./messages.ts";

/** An element of index.html. */
function element<T extends HTMLElement>(id: string): T {
  return document.getElementById(id) as T;
}

const text = element("text"), state = element("state"), speed = element("speed"), drop = element("drop");
const picture = element<HTMLImageElement>("picture"), heat = element<HTMLCanvasElement>("heat");
const progress = element<HTMLProgressElement>("progress"), file = element<HTMLInputElement>("file");
const copy = element<HTMLButtonElement>("copy"), keeps = element<HTMLButtonElement>("keep");

const asked = new URL(location.href).searchParams;
const worker = new Worker(new URL("./reader.js", import.meta.url), { type: "module" });
let pictures = 0;
let whereItRuns = "";

function ask(request: Request): void {
  worker.postMessage(request);
}

/** Show a picture and have it read. */
function read(blob: Blob): void {
  URL.revokeObjectURL(picture.src);
  picture.src = URL.createObjectURL(blob);
  picture.alt = "The picture that is read";
  element("view").hidden = false;
  element("hint").hidden = true;
  element("note").hidden = true;
  text.replaceChildren();
  speed.textContent = "";
  hideHeat(heat);
  copy.disabled = keeps.disabled = true;
  state.textContent = "Reading the picture";
  ask({ kind: "read", id: ++pictures, picture: blob });
}

/** Words as buttons, so that a keyboard reaches them. */
function showWords({ words, grid, cell }: Reading): void {
  const shown = words.flatMap((word) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = word.confidence < 0.7 ? "word unsure" : "word";
    button.textContent = word.text.trim();
    button.title = `${Math.round(100 * word.confidence)} % sure`;
    for (const event of ["mouseenter", "focus"]) {
      button.addEventListener(event, () => showHeat(heat, word.heat, grid, cell));
    }
    for (const event of ["mouseleave", "blur"]) button.addEventListener(event, () => hideHeat(heat));
    return [/^\s/.test(word.text) ? " " : "", button];
  });
  text.replaceChildren(...shown);
  element("note").hidden = words.length === 0;
}

function showReading(reading: Reading): void {
  showWords(reading);
  picture.alt = reading.text;
  copy.disabled = keeps.disabled = false;
  const rate = reading.tokens / (reading.last / 1000);
  speed.textContent = `First word after ${Math.round(reading.first)} ms, all after ${Math.round(reading.last)} ms: ` +
    `${rate.toFixed(0)} tokens a second on ${whereItRuns}`;
  state.textContent = `Text: ${reading.text}${reading.truncated ? " (cut at the model's limit)" : ""}`;
}

function showLoading({ stage, file, done, total }: Extract<Answer, { kind: "loading" }>): void {
  progress.hidden = false;
  if (total) progress.value = done / total;
  else progress.removeAttribute("value");
  // A live region that changes with each chunk would never be silent.
  const said = stage === "downloading" ? `Fetching ${file}` : "Starting the model";
  if (state.textContent !== said) state.textContent = said;
}

worker.onmessage = ({ data }: MessageEvent<Answer>) => {
  if (data.kind === "loading") return showLoading(data);
  if (data.kind === "ready") {
    progress.hidden = true;
    whereItRuns = `${data.backend} (${data.device})`;
    state.textContent = `Ready on ${whereItRuns}`;
    document.body.dataset.ready = data.backend;
    return;
  }
  if (data.kind === "failed") {
    progress.hidden = true;
    if (data.id === undefined || data.id === pictures) state.textContent = data.message;
    return;
  }
  if (data.id !== pictures) return; // of a picture that another has replaced
  if (data.kind === "piece") text.append(data.text);
  else showReading(data.reading);
};
worker.onerror = (event) => void (state.textContent = `The worker failed: ${event.message}`);

function firstPicture(files: Iterable<File> | undefined | null): void {
  for (const file of files ?? []) {
    if (file.type.startsWith("image/")) return read(file);
  }
  state.textContent = "That was no picture";
}

for (const kind of ["dragenter", "dragover"]) {
  document.addEventListener(kind, (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
}
document.addEventListener("dragleave", () => drop.classList.remove("over"));
document.addEventListener("drop", (event) => {
  event.preventDefault();
  drop.classList.remove("over");
  firstPicture(event.dataTransfer?.files);
});
document.addEventListener("paste", (event) => {
  if (event.clipboardData?.files.length) firstPicture(event.clipboardData.files);
});
file.addEventListener("change", () => {
  firstPicture(file.files);
  file.value = ""; // so that the same one may be chosen again
});
element("camera").addEventListener("click", async () => {
  try {
    const taken = await takePicture(element<HTMLDialogElement>("viewfinder"));
    if (taken) read(taken);
  } catch (error) {
    state.textContent = `No picture can be taken: ${(error as Error).message}`;
  }
});
copy.addEventListener("click", async () => {
  await navigator.clipboard.writeText(text.textContent!);
  state.textContent = "Copied";
});
keeps.addEventListener("click", async () => {
  state.textContent = await keep(picture, element("kept"));
  element("kept-section").hidden = false;
});
element("forget").addEventListener("click", async () => {
  for (const name of await caches.keys()) await caches.delete(name);
  state.textContent = "Forgotten: the next start fetches the model again";
});

ask({
  kind: "load",
  model: new URL(asked.get("model") ?? "./model/", location.href).href.replace(/\/*$/, "/"),
  backend: (asked.get("backend") ?? "auto") as "auto",
});
if ("serviceWorker" in navigator) navigator.serviceWorker.register(new URL("./service_worker.js", import.meta.url));
