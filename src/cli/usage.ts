// What `--help` and `--version` print. It imports no model, so that both answer at once.
import { backendNames } from "./options.ts";

/** The text of `--help`. */
export const help = `Read the text in pictures (PNG, JPEG, GIF, WebP, BMP).

usage: deno run -A caption.ts [options] PICTURE...

PICTURE is a path or an http(s) address; - is standard input. Each text is printed on one line of
standard output, in the order given; what goes wrong is said on standard error.

options:
  --model FOLDER        a model in Hugging Face's layout: a folder, or the address files lie under
                        [default: the embedded model, which reads one line of printed text]
  --tokenizer FOLDER    where the tokenizer is [default: with the model]
  --processor FOLDER    where the image processor is [default: with the model]
  --max-pixels N        refuse pictures of more pixels [default: 64000000]
  --backend NAME        ${backendNames.join(", ")} [default: auto, which is ffi, else webgpu]
  --max-new-tokens N    stop a text after N tokens [default: the model's own limit]
  --beams N             search with N beams [default: what the model's settings say]
  --sample              draw tokens by chance instead of taking the best
  --seed N              with --sample: draw the same again [default: another each time]
  --stream              print a text as it is decided
  --prompt TEXT         what a text begins with, task tokens as they are spelt; it is not repeated
  --document            print the fields of a document as JSON (Donut; of Nougat its Markdown as text)
  --task NAME           the document's task, such as cord-v2 or rvlcdip [default: the model's own]
  --question TEXT       ask something of a document (a model of DocVQA)
  --attention OUT.png   draw where the model looked, a tile a token: the decoder's last layer, the
                        mean of its heads; OUT-1.png, OUT-2.png ... for several pictures
  --json                print an object a line: file, text, milliseconds; truncated if it was cut;
                        of a document document instead of text
  --verbose             say on standard error which device runs, and how long each part takes
  --help, -h            print this and exit
  --version             print the version and exit

exit code: 0 if all pictures were read, 1 if some were not, 2 if the command line is wrong
`;

/** @returns The package's version, as in deno.json. */
export async function version(): Promise<string> {
  const { default: config } = await import("../../deno.json", { with: { type: "json" } });
  return config.version;
}
