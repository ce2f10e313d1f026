// Writing one JSON file of a model folder so that it is whole or not there: under a temporary name, then renamed.

/**
 * Write a JSON file.
 *
 * @param folder The folder, made if it is missing.
 * @param file The file's name in it.
 * @param content What it holds.
 */
export async function writeJson(folder: string | URL, file: string, content: unknown): Promise<void> {
  const path = folder instanceof URL || folder.startsWith("file:")
    ? new URL(file, `${String(folder).replace(/\/?$/, "/")}`)
    : `${folder.replace(/\/+$/, "") || "/"}/${file}`;
  const temporary = path instanceof URL
    ? new URL(`${path}.${crypto.randomUUID()}.tmp`)
    : `${path}.${crypto.randomUUID()}.tmp`;
  await Deno.mkdir(folder instanceof URL ? folder : folder.startsWith("file:") ? new URL(folder) : folder, {
    recursive: true,
  });
  try {
    await Deno.writeTextFile(temporary, `${JSON.stringify(content, null, 2)}\n`);
    await Deno.rename(temporary, path);
  } catch (error) {
    await Deno.remove(temporary).catch(() => {});
    throw error;
  }
}
