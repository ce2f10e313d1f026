// Fetches the packages that Limner fetches when they are needed, so that a machine without a network has them:
// `deno run -A examples/deploy/fetch_packages.ts`. ONNX Runtime comes when a picture is read once.
const folder = new URL("../../src/packages/", import.meta.url);

for await (const { name } of Deno.readDir(folder)) {
  const module: Record<string, unknown> = await import(new URL(name, folder).href);
  for (const [member, value] of Object.entries(module)) {
    if (member.startsWith("load") && typeof value === "function") await value();
  }
}
