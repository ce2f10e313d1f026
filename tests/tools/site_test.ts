// The documentation's site: it is built, its links lead somewhere, and what is drawn or made of the code is up to date.
import { assert, assertEquals } from "@std/assert";
import { deno, root } from "../cli/command_process.ts";
import { withFolderOf } from "../folder_of_files.ts";
import { inFolder } from "../served_project.ts";
import { brokenLinks } from "../../tools/docs/links.ts";

Deno.test("deno task docs writes a page for each text of docs, and the reference", async () => {
  await inFolder(async (folder) => {
    const { code, stderr } = await deno(["tools/docs/site.ts", folder]);
    assertEquals(code, 0, stderr);
    const texts = [...Deno.readDirSync(`${root}docs`)].map(({ name }) => name).filter((name) => name.endsWith(".md"));
    for (const name of texts) {
      const html = await Deno.readTextFile(`${folder}/${name.replace(".md", ".html")}`);
      assert(html.includes("<h1 id=") && html.includes('aria-current="page"'), name);
    }
    const reference = [...Deno.readDirSync(`${folder}/api`)].map(({ name }) => name);
    assert(reference.includes("index.html") && reference.length > 5, reference.join());
  });
});

Deno.test("brokenLinks() finds files and places that are not there", async () => {
  const files = {
    "a.html":
      '<h2 id="here"></h2><a href="b.html"></a><a href="#here"></a><a href="b.html#there"></a><img src="p.svg">',
    "b.html": '<a href="https://example.com/x"></a><a href="a.html#gone"></a><a href="c.html"></a>',
    "p.svg": "",
  };
  await withFolderOf({}, files, async (folder) => {
    assertEquals(await brokenLinks(folder, ["a.html", "b.html"]), [
      "a.html links to b.html#there: there is no such place",
      "b.html links to a.html#gone: there is no such place",
      "b.html links to c.html: there is no such file",
    ]);
  });
});

for (const script of ["draw_way.ts", "options_tables.ts"]) {
  Deno.test(`what tools/docs/${script} makes is up to date`, async () => {
    const { code, stderr } = await deno([`tools/docs/${script}`, "--check"]);
    assertEquals(code, 0, stderr);
  });
}

Deno.test("the links of the texts in the repository lead to files that are there", async () => {
  const pages = [...Deno.readDirSync(`${root}docs`)].map(({ name }) => `docs/${name}`);
  for (const name of ["README.md", "CONTRIBUTING.md", "SECURITY.md", ...pages.filter((name) => name.endsWith(".md"))]) {
    const links = (await Deno.readTextFile(root + name)).replace(/^```.*?^```/gms, "").matchAll(/\]\(([^)#]+)[^)]*\)/g);
    for (const [, target] of links) {
      if (/^[a-z]+:/.test(target)) continue;
      const found = await Deno.stat(new URL(target, `file://${root}${name}`)).then(() => true, () => false);
      assert(found, `${name} links to ${target}, which is not there`);
    }
  }
});
