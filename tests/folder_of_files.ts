// Folders with files for tests.

/** Write files into a folder; their names may have folders of their own. */
async function writeFiles(folder: string, files: Readonly<Record<string, string | Uint8Array>>): Promise<void> {
  for (const [name, content] of Object.entries(files)) {
    await Deno.mkdir(`${folder}/${name}`.replace(/[^/]*$/, ""), { recursive: true });
    await Deno.writeFile(
      `${folder}/${name}`,
      typeof content === "string" ? new TextEncoder().encode(content) : content,
    );
  }
}

/**
 * Do something with a folder of files, which is gone afterwards.
 *
 * @param copies Files that are copied, by their names there; `files` may replace them.
 */
export async function withFolderOf(
  copies: Readonly<Record<string, URL>>,
  files: Readonly<Record<string, string | Uint8Array>>,
  use: (folder: string) => Promise<unknown>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    for (const [name, source] of Object.entries(copies)) await Deno.copyFile(source, `${folder}/${name}`);
    await writeFiles(folder, files);
    await use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
