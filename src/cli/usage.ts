// What `--help` and `--version` print. It imports no model, so that both answer at once.
import type { CommandName } from "./command_names.ts";
import { backendNames, dtypes } from "./options.ts";

/** The text of `--help`. */
export const help = `Read the text in pictures (PNG, JPEG, GIF, WebP, BMP, TIFF, AVIF, PNM).

usage: deno run -A caption.ts [options] PICTURE...
       deno run -A caption.ts [options] --recursive FOLDER --output FILE
       deno run -A caption.ts serve         answer requests over HTTP
       deno run -A caption.ts worker        answer lines of JSON, as a part of a cluster
       deno run -A caption.ts pull NAME     fetch a model from Hugging Face's Hub
       deno run -A caption.ts push FOLDER NAME   upload one
       deno run -A caption.ts train         teach a model with your pictures and texts
       deno run -A caption.ts cache         list what was converted; cache clear removes it
       deno run -A caption.ts doctor        say what this machine has, and what it lacks

PICTURE is a path or an http(s) address; - is standard input. Each text is printed on one line of
standard output, in the order given; what goes wrong is said on standard error.

With --recursive the pictures of FOLDER and of its subfolders, by their names' endings, go to a file.
Given again it skips what that file has, also after it was killed; each picture has one line.

options:
  --model NAME          a model on Hugging Face's Hub; or a folder in its layout, or the address
                        files lie under [default: the embedded model, which reads one line of
                        printed text]
  --revision NAME       with --model: a branch, tag or commit of the Hub [default: main]
  --token-file FILE     with --model: the file with the token that may read it [default: HF_TOKEN,
                        or that of Hugging Face's tools]
  --offline             make no request for the model: what the cache has must do
  --tokenizer FOLDER    where the tokenizer is [default: with the model]
  --processor FOLDER    where the image processor is [default: with the model]
  --recursive           read the pictures of a folder
  --output FILE         with --recursive: .jsonl (an object a line: file, text, confidence, or file and
                        error), .csv or .parquet (the same as columns, written when all are read)
  --retry-failed        with --recursive: read again what could not be read
  --page N              read page N of a TIFF [default: 1]
  --max-pixels N        refuse pictures of more pixels [default: 64000000]
  --backend NAME        ${backendNames.join(", ")} [default: auto, which is ffi
                        or a GPU, whichever is faster for the model, else wasm]
  --dtype NAME          hold the weights as ${dtypes.join(", ")}: q8 and q4 round them to 8 and 4
                        bits while loading (ffi, webgpu), float16 is for GPUs [default: as the model
                        was saved]
  --device NAME         what ffi runs on: cpu, cuda, cuda:1 or webgpu, where the library that
                        LIMNER_ORT_LIBRARY names (or npm's) has a provider for it [default: cpu]
  --low-memory          prefer less memory to speed (ffi) [default: where memory is short]
  --max-new-tokens N    stop a text after N tokens [default: the model's own limit]
  --beams N             search with N beams [default: what the model's settings say]
  --sample              draw tokens by chance instead of taking the best
  --seed N              with --sample: draw the same again, for each picture by its place among those
                        given [default: another each time]
  --stream              print a text as it is decided
  --prompt TEXT         what a text begins with, task tokens as they are spelt; it is not repeated
  --document            print the fields of a document as JSON (Donut; of Nougat its Markdown as text)
  --task NAME           the document's task, such as cord-v2 or rvlcdip [default: the model's own]
  --question TEXT       ask something of a document (a model of DocVQA)
  --min-confidence P    mark with (?) each word of which the model is less sure than P, from 0 to 1
  --attention OUT.png   draw where the model looked, a tile a token: the decoder's last layer, the
                        mean of its heads; OUT-1.png, OUT-2.png ... for several pictures
  --allow-private       fetch pictures from private addresses too, such as localhost
  --json                print an object a line: file, text, confidence (that of its least sure
                        word), milliseconds; truncated if it was cut, repetition if it runs on in
                        circles; of a document document instead of text; with --min-confidence the
                        words below it as unsure
  --verbose             say on standard error which device runs, and how long each part takes
  --help, -h            print this and exit
  --version             print the version and exit

exit code: 0 if all pictures were read, 1 if some were not, 2 if the command line is wrong; for a
model 3 if it was not found, 4 if it may not be had, 5 if the network failed
`;

/** The text of `caption.ts NAME --help`. */
export const commandHelp: Readonly<Record<CommandName, string>> = {
  pull: `Fetch a model from Hugging Face's Hub into the cache that Python's tools share, and print its folder.

usage: deno run -A caption.ts pull [options] NAME

options:
  --revision NAME       a branch, tag or commit [default: main]
  --token-file FILE     the file with the token that may read it [default: HF_TOKEN, or that of
                        Hugging Face's tools]

exit code: 0 if it is there, 2 if the command line is wrong, 3 if it was not found, 4 if it may not be
had, 5 if the network failed, 1 for whatever else
`,
  push: `Upload a model's folder to Hugging Face's Hub, with a model card if it has none, and print the commit's page.

usage: deno run -A caption.ts push [options] FOLDER NAME

options:
  --private             if there is no such repository yet: make a private one
  --message TEXT        the commit's message [default: Upload model]
  --revision NAME       the branch [default: main]
  --token-file FILE     the file with the token that may write it [default: HF_TOKEN, or that of
                        Hugging Face's tools]

exit code: 0 if it is there, 2 if the command line is wrong, 4 if it is not allowed, 5 if the network
failed, 1 for whatever else
`,
  train: `Teach a model with a folder of pictures and their texts, and print how many characters it gets wrong
before and after, in pictures that it does not learn from.

usage: deno run -A caption.ts train [options] --data FOLDER --output FOLDER
       deno run -A caption.ts train --resume --output FOLDER

The folder is as Hugging Face's imagefolder has it: pictures, and a metadata.jsonl, captions.jsonl or
metadata.csv with the columns file_name and text. The output gets the best model, which --model reads
with, log.jsonl (a line a step), loss.svg, and what --resume needs.

options:
  --data FOLDER         the pictures and texts to learn from
  --eval FOLDER         those to measure on [default: a tenth of the data, 200 at most, is kept for it]
  --output FOLDER       where to write; it must not have a run, but for --resume
  --resume              go on with the run in the output's folder, exactly as if it had not ended
  --model NAME          the model to begin with, as for reading [default: the embedded model]
  --revision NAME       with --model: a branch, tag or commit of the Hub [default: main]
  --token-file FILE     the file with the token that may read it [default: HF_TOKEN, or that of
                        Hugging Face's tools]
  --tokenizer FOLDER    where the tokenizer is [default: with the model]
  --processor FOLDER    where the image processor is [default: with the model]
  --backend NAME        ${backendNames.join(", ")} [default: auto: ffi, webgpu or wasm]
  --image-column NAME   the column of files [default: file_name, or a name that is common]
  --text-column NAME    the column of texts [default: text, or a name that is common]
  --max-length N        count texts of more tokens as broken
  --skip-broken         go on without pictures and texts that cannot be used, and name them
  --no-start-token      leave the tokenizer's start token out of what is learned: for a model that
                        writes none, such as Donut [default with the embedded model]
  --epochs N            go through the data N times [default: 10]
  --steps N             or make N updates
  --batch N             pictures of a batch [default: 8]
  --accumulate N        batches of an update [default: 1]
  --checkpoint          compute each layer again for its gradient: less memory, more time
  --lr X                the highest learning rate [default: 5e-5; with --lora 5e-4]
  --schedule NAME       how it falls: constant, linear, cosine [default: linear]
  --warmup N            updates in which it rises from 0 [default: 0]
  --weight-decay X      AdamW's, which biases and norms are spared [default: 0]
  --max-grad-norm X     scale longer gradients down to this [default: 1]
  --label-smoothing X   from 0 to less than 1 [default: 0]
  --lora RANK           train small matrices of this rank beside the model's own; the output has them
                        in adapter too, as PEFT's files
  --freeze NAMES        leave parameters whose names begin so as they are, such as encoder; several
                        are joined by commas
  --seed N              decides the order of pictures and what is drawn [default: 0]
  --eval-every N        updates between two evaluations [default: those of an epoch]
  --patience N          end after N evaluations that are no better than the best
  --help, -h            print this and exit

exit code: 0 if it was trained, 1 if it was interrupted or failed, 2 if the command line is wrong; for
a model 3 if it was not found, 4 if it may not be had, 5 if the network failed
`,
  serve: `Answer requests over HTTP until SIGTERM or SIGINT: then no more are taken, and what runs is finished.

usage: deno run -A caption.ts serve [options]

POST /caption takes a picture (as the body, in a form's field image, or in JSON as base64 or a data URL) and
answers with its text, how sure the model is, and timings; with Accept: text/event-stream as it is written.
POST /v1/chat/completions and GET /v1/models are OpenAI's. /healthz and /readyz are for probes, /metrics for
Prometheus, /openapi.json describes it all. What arrives while texts are written joins them: they share the
model's steps.

options:
  --port N              [default: 8000; 0 takes one that is free, which is printed]
  --host NAME           the address that is listened on; 0.0.0.0 for all [default: 127.0.0.1]
  --api-key KEY         the key that requests must have, as Authorization: Bearer KEY; other users of this
                        machine can see it in the list of processes [default: LIMNER_API_KEY, else none]
  --slots N             texts that are written at once [default: 16]
  --queue N             pictures that may wait; more are refused with 429 [default: 256]
  --max-body MIB        the most MiB of a request, which else is refused with 413 [default: 32]
  --timeout SECONDS     the time of a request, after which it is given up with 408 [default: 120]
  --body-timeout SECONDS  the time in which a request's body must be there [default: 30]
  --allow-addresses     fetch pictures by https addresses in requests; never from private networks
  --allow-private       with --allow-addresses: from private networks too, and by http
  --cors ORIGINS        origins whose pages may read answers, joined by commas, or * [default: none]
  --model-name NAME     what /v1/models calls the model [default: limner]
  --log FORM            a line on standard error for each request: json, text, debug (JSON with the times of parts, and whether
                        another token was as good) or none [default: text]; no picture, text or key is in it
  --model NAME, --revision NAME, --token-file FILE, --offline, --tokenizer FOLDER, --processor FOLDER,
  --max-pixels N, --backend NAME, --dtype NAME, --device NAME, --low-memory, --verbose
                        as for pictures: caption.ts --help
  --help, -h            print this and exit

exit code: 0 if it was ended by a signal, 1 if the port is taken, 2 if the command line is wrong; for a
model 3 if it was not found, 4 if it may not be had, 5 if the network failed
`,
  worker: `Answer lines of JSON on standard input, a line each on standard output, in their order, until there
are no more. SIGTERM ends it when what was read is answered.

usage: deno run -A caption.ts worker [options]

A line has an id, a text or a number, and the picture as one of path, url or base64; other fields are
left alone. Its answer has the id with text and confidence, truncated if the text was cut, repetition
if it runs on in circles; or an error with message and code. Nothing that is wrong with a line ends the
worker: one of more than 64 MiB, one that is no object of JSON or has no id (its answer has id null and
its line's number), an id that one of the last 65,536 lines had. Pictures are read ahead, and given to
the model up to eight at once, as they come; about 128 MiB of them are held.

options:
  --heartbeat SECONDS   also print a line {"heartbeat": {state, answered, waiting, seconds}} at once
                        and every so many seconds
  --model NAME, --revision NAME, --token-file FILE, --offline, --tokenizer FOLDER, --processor FOLDER,
  --max-pixels N, --backend NAME, --dtype NAME, --device NAME, --low-memory, --max-new-tokens N,
  --beams N, --sample, --seed N, --prompt TEXT, --document, --task NAME, --question TEXT, --min-confidence P,
  --allow-private, --verbose
                        as for pictures: caption.ts --help
  --help, -h            print this and exit

exit code: 0 if all lines were answered, 1 if the device was lost, 2 if the command line is wrong; for a
model 3 if it was not found, 4 if it may not be had, 5 if the network failed
`,
  cache: `List the weights that were converted once so that they load faster, and where they lie.

usage: deno run -A caption.ts cache [clear]

clear removes them. The Hub's own cache, which Python shares, is left alone.

exit code: 0 if it was done, 1 if not, 2 if the command line is wrong
`,
  doctor: `Say what this machine has, which backend "auto" takes and why, and what to do where something is
missing. ONNX Runtime is fetched if it is not there.

usage: deno run -A caption.ts doctor [options]

options:
  --json                print one object

exit code: 0 if some backend can run, 1 if none can
`,
};

/** @returns The package's version, as in deno.json. */
export async function version(): Promise<string> {
  const { default: config } = await import("../../deno.json", { with: { type: "json" } });
  return config.version;
}
