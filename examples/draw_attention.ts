// Draw where the model looked at each token: deno run -A examples/draw_attention.ts PICTURE OUT.png
import { Captioner, drawAttention, encodePng } from "@limner/limner";

const [picture = "assets/examples/line.png", out = "attention.png"] = Deno.args;

await using captioner = await Captioner.load();
const [{ text, attention }] = await captioner.captions(picture, { outputAttentions: true });
await Deno.writeFile(out, await encodePng(await drawAttention(attention!)));
console.log(`${out}: ${text}`);
