// Print a text word by word as it is decided: deno run -A examples/stream_text.ts [PICTURE]
import { Captioner } from "@limner/limner";

const picture = Deno.args[0] ?? new URL("../assets/examples/line.png", import.meta.url);

await using captioner = await Captioner.load();
// The generation goes on as the loop asks for more; leaving the loop stops it.
for await (const words of captioner.stream(picture, { wholeWords: true })) {
  await Deno.stdout.write(new TextEncoder().encode(words));
}
console.log();
