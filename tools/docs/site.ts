// The documentation as a site of plain files: the pages of docs, and the reference of all that is exported, by `deno doc`.
// `deno task docs [FOLDER]` writes it, and fails where a link leads nowhere.
import { Marked } from "npm:marked@18.2.1";
import { brokenLinks } from "./links.ts";

const root = new URL("../../", import.meta.url);
const output = Deno.args[0] ?? new URL("site", root).pathname;

/** The pages in the order of the menu. */
const pages = [
  ...["index", "from-transformers", "captioning", "documents", "streams", "options", "command", "models", "training"],
  ...["fleet", "serving", "browser", "deployment", "quantisation", "how-it-works", "extending"],
];

/** What the pages show besides text. */
const pictures = ["docs/way.svg", "docs/rooms.svg", "docs/peers.svg", "docs/browser.jpg", "assets/attention.png"];

/** Other texts of the repository that pages link to, by their names as pages. */
const others: Readonly<Record<string, string>> = {
  contributing: "CONTRIBUTING.md",
  security: "SECURITY.md",
  "embedded-model": "assets/model/README.md",
};

interface Page {
  readonly name: string;
  readonly title: string;
  readonly html: string;
}

const style = `
:root { color-scheme: light dark; --text: #1d2430; --soft: #5b6675; --line: #dfe4ea; --code: #f4f6f9; --link: #1f5fbf; }
@media (prefers-color-scheme: dark) {
  :root { --text: #e3e7ee; --soft: #9aa5b4; --line: #343c48; --code: #232a34; --link: #86b4ff; }
  body { background: #171c23; }
  main img { background: white; }
}
* { box-sizing: border-box; }
body { margin: 0; color: var(--text); font: 16px/1.6 system-ui, sans-serif; display: flex; }
nav { flex: 0 0 15rem; padding: 2rem 1.5rem; border-right: 1px solid var(--line); min-height: 100vh; }
nav ul { list-style: none; padding: 0; margin: 0; position: sticky; top: 2rem; }
nav a { display: block; padding: .2rem 0; color: var(--soft); text-decoration: none; }
nav a[aria-current], nav a:hover { color: var(--link); }
main { flex: 1; min-width: 0; max-width: 64rem; padding: 1rem 2.5rem 4rem; }
a { color: var(--link); }
h1, h2, h3 { line-height: 1.25; }
h2 { margin-top: 2.2em; border-bottom: 1px solid var(--line); padding-bottom: .2em; }
code { background: var(--code); padding: .1em .3em; border-radius: 4px; font-size: .88em; }
pre { background: var(--code); padding: 1rem; border-radius: 8px; overflow-x: auto; }
pre code { padding: 0; background: none; font-size: .8em; }
table { border-collapse: collapse; display: block; overflow-x: auto; font-size: .92em; }
th, td { border: 1px solid var(--line); padding: .35rem .6rem; text-align: left; vertical-align: top; }
img { max-width: 100%; height: auto; }
@media (max-width: 50rem) {
  body { display: block; }
  nav { min-height: 0; border-right: 0; border-bottom: 1px solid var(--line); }
  nav ul { position: static; columns: 2; }
  main { padding: 1rem; }
}
`;

function slug(text: string): string {
  return text.toLowerCase().replace(/<[^>]*>|&[^;]+;|[^\p{L}\p{N}\s-]/gu, "").trim().replace(/\s+/g, "-");
}

const marked = new Marked({
  renderer: {
    heading({ tokens, depth }) {
      const text = this.parser.parseInline(tokens);
      return `<h${depth} id="${slug(text)}">${text}</h${depth}>\n`;
    },
    link({ href, tokens }) {
      return `<a href="${addressOf(href)}">${this.parser.parseInline(tokens)}</a>`;
    },
    image({ href, text }) {
      return `<img src="${href.split("/").at(-1)}" alt="${text}">`;
    },
  },
});

/** Where a link of a page leads: to another page, or where it says. */
function addressOf(href: string): string {
  const [, file = "", anchor = ""] = /^(?:\.\.\/)?([\w/-]+\.md)(#.*)?$/.exec(href) ?? [];
  const name = Object.keys(others).find((name) => others[name] === file) ?? file.replace(/^docs\/|\.md$/g, "");
  return name === "" ? href : `${name}.html${anchor}`;
}

function framed({ name, title, html }: Page, all: readonly Page[]): string {
  const items = all.map((page) => {
    const current = page.name === name ? ' aria-current="page"' : "";
    return `<li><a href="${page.name}.html"${current}>${page.title}</a></li>`;
  });
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${name === "index" ? "Limner" : `${title} · Limner`}</title>
<style>${style}</style>
<nav aria-label="Pages"><ul>
${items.join("\n")}
<li><a href="api/index.html">Reference</a></li>
</ul></nav>
<main>
${html}</main>
</html>
`;
}

async function readPage(name: string): Promise<Page> {
  const text = await Deno.readTextFile(new URL(others[name] ?? `docs/${name}.md`, root));
  const [, title = name] = /^# (.*)$/m.exec(text) ?? [];
  return { name, title, html: await marked.parse(text) };
}

/** The reference of all entry points. */
async function writeReference(): Promise<void> {
  const { exports: entries } = JSON.parse(await Deno.readTextFile(new URL("deno.json", root)));
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["doc", "--html", "--name=Limner", `--output=${output}/api`, ...Object.values<string>(entries)],
    cwd: root,
  }).output();
  if (code !== 0) throw new Error(new TextDecoder().decode(stderr));
}

await Deno.mkdir(output, { recursive: true });
const inMenu = await Promise.all(pages.map(readPage));
const all = [...inMenu, ...await Promise.all(Object.keys(others).map(readPage))];
for (const page of all) await Deno.writeTextFile(`${output}/${page.name}.html`, framed(page, inMenu));
for (const file of pictures) await Deno.copyFile(new URL(file, root), `${output}/${file.split("/").at(-1)}`);
await writeReference();
const broken = await brokenLinks(output, all.map(({ name }) => `${name}.html`));
for (const link of broken) console.error(link);
console.log(`${all.length} pages and the reference in ${output}`);
if (broken.length > 0) Deno.exit(1);
