// Read the line of text in a picture: deno run -A examples/read_line.ts [PICTURE]
import { Captioner } from "@limner/limner";

const picture = Deno.args[0] ?? new URL("../assets/examples/line.png", import.meta.url);

await using captioner = await Captioner.load();
console.log(await captioner.caption(picture));
