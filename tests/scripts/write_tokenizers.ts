// Loads tokenizers, encodes texts and saves what was loaded, for check_tokenizers.py:
// `deno run -A tests/scripts/write_tokenizers.ts FOLDER`, where FOLDER/in holds a repository each and FOLDER/texts.json
// the texts by repository. FOLDER/out gets the saved repositories and the encodings.
import { AutoTokenizer } from "../../src/tokenizer/mod.ts";

const [folder] = Deno.args;
const texts: Record<string, string[]> = JSON.parse(Deno.readTextFileSync(`${folder}/texts.json`));
const encodings: Record<string, number[][]> = {};
for (const [name, rows] of Object.entries(texts)) {
  const tokenizer = await AutoTokenizer.fromPretrained(`${folder}/in/${name}`);
  encodings[name] = rows.map((text) => tokenizer.encode(text).inputIds);
  await tokenizer.savePretrained(`${folder}/out/${name}`);
}
Deno.writeTextFileSync(`${folder}/out/encodings.json`, JSON.stringify(encodings));
