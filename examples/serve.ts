// A server that reads the pictures posted to it, without native code:
//   deno run --allow-read --allow-net examples/serve.ts [PORT]
//   curl --data-binary @assets/examples/line.png localhost:8000
import { Captioner, LimnerError } from "@limner/limner";

// Without --allow-ffi "auto" takes a GPU, or else WebAssembly.
await using captioner = await Captioner.load();

const onListen = ({ port }: Deno.NetAddr) => console.log(`reading pictures at http://localhost:${port}`);
const server = Deno.serve({ port: Number(Deno.args[0] ?? 8000), onListen }, async (request) => {
  if (request.method !== "POST") return new Response("Post a picture.\n", { status: 405 });
  try {
    const picture = new Uint8Array(await request.arrayBuffer());
    return new Response(`${await captioner.caption(picture)}\n`);
  } catch (error) {
    if (!(error instanceof LimnerError)) throw error;
    return new Response(`${error.message}\n`, { status: 400 });
  }
});
await server.finished;
