// Links of a site that lead nowhere. Only those within the site are followed.

/**
 * Look for links to files and anchors that are not there.
 *
 * @param folder The site.
 * @param pages Its pages, from the folder on.
 * @returns A line a link: the page, and what it names.
 */
export async function brokenLinks(folder: string, pages: readonly string[]): Promise<string[]> {
  const broken: string[] = [];
  for (const page of pages) {
    const html = await Deno.readTextFile(`${folder}/${page}`);
    for (const [, target] of html.matchAll(/\s(?:href|src)="([^"]*)"/g)) {
      if (/^(?:[a-z]+:|\/\/)/i.test(target)) continue;
      const [file, anchor] = target.split("#");
      const found = await Deno.readTextFile(`${folder}/${file || page}`).catch(() => undefined);
      if (found === undefined) broken.push(`${page} links to ${target}: there is no such file`);
      else if (anchor && !found.includes(`id="${anchor}"`)) {
        broken.push(`${page} links to ${target}: there is no such place`);
      }
    }
  }
  return broken;
}
