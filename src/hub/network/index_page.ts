// The page by which many servers list a folder (Apache, nginx, Caddy, Python's http.server): its links are the files.

/**
 * The files and folders that a page lists.
 *
 * @param page The page, HTML.
 * @param folder The folder's address, with a slash at its end.
 * @returns Their names, each once, of folders with a slash at the end; links to elsewhere are left out.
 */
export function namesListed(page: string, folder: URL): string[] {
  const names = new Set<string>();
  for (const [, quoted, plain] of page.matchAll(/<a\s[^>]*?\bhref\s*=\s*(?:["']([^"'<>]*)["']|([^\s"'<>]+))/gi)) {
    const target = URL.parse((quoted ?? plain).replaceAll("&amp;", "&"), folder);
    if (target?.origin !== folder.origin || !target.pathname.startsWith(folder.pathname)) continue;
    const name = nameOf(target.pathname.slice(folder.pathname.length));
    if (name !== undefined) names.add(name);
  }
  return [...names];
}

/** A path that is one name, decoded. */
function nameOf(path: string): string | undefined {
  if (!/^[^/]+\/?$/.test(path)) return undefined;
  try {
    return decodeURIComponent(path);
  } catch {
    return undefined; // it is no name, but something with a percent sign
  }
}
