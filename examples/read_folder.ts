// Read every picture of a folder into JSON lines: deno run -A examples/read_folder.ts FOLDER > texts.jsonl
import { Captioner, LimnerError } from "@limner/limner";

const folder = Deno.args[0] ?? "assets/examples";
const picture = /\.(png|jpe?g|gif|webp|bmp)$/i;
const files = [...Deno.readDirSync(folder)].map(({ name }) => name).filter((name) => picture.test(name));

await using captioner = await Captioner.load();
for (const file of files.sort()) {
  try {
    const text = await captioner.caption(`${folder}/${file}`);
    console.log(JSON.stringify({ file, text }));
  } catch (error) {
    // A picture that cannot be read does not keep the others from being read.
    if (!(error instanceof LimnerError)) throw error;
    console.error(error.message);
  }
}
