// The sources of the library, as text.

const root = new URL("../", import.meta.url);

/** Each source's text by its path from the project's root: the files of src and backends, and the two entry points. */
export async function projectSources(): Promise<Map<string, string>> {
  const sources = new Map<string, string>();
  const visit = async (path: string): Promise<void> => {
    const entries = await Array.fromAsync(Deno.readDir(new URL(path, root)));
    for (const { name, isDirectory } of entries.sort((a, b) => a.name < b.name ? -1 : 1)) {
      if (isDirectory) await visit(`${path}${name}/`);
      else if (name.endsWith(".ts")) sources.set(path + name, await Deno.readTextFile(new URL(path + name, root)));
    }
  };
  await visit("src/");
  await visit("backends/");
  for (const file of ["mod.ts", "caption.ts"]) sources.set(file, await Deno.readTextFile(new URL(file, root)));
  return sources;
}
