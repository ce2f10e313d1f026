// The tables of docs/options.md, made of the interfaces in the code: `deno task draw`; with `--check` it fails where the page
// is not what the code says.

const root = new URL("../../", import.meta.url);
const page = new URL("docs/options.md", root);

/** The interfaces of each table, and which of their options, where not all. */
const tables: Readonly<Record<string, readonly (readonly [name: string, ...options: string[]])[]>> = {
  CaptionOptions: [
    ["PromptOptions"],
    ["CaptionOptions"],
    ["ReadImageOptions", "page"],
    ["TextStreamerOptions", "wholeWords"],
    ["TaskOptions"],
    ["PostProcessOptions"],
  ],
  GenerateOptions: [["GenerateOptions"]],
  CaptionerLoadOptions: [
    ["LoadOptions"],
    ["CaptionerLoadOptions"],
    ["CaptionerParts", "maxPixels"],
    ["SourceOptions", "allowPrivateAddresses"],
    ["BackendOptions"],
    ["HubOptions"],
  ],
  TrainerOptions: [["TrainerOptions"]],
};

interface Symbols {
  readonly nodes: Readonly<
    Record<string, { readonly symbols: readonly { name: string; declarations: readonly Declaration[] }[] }>
  >;
}

interface Declaration {
  readonly kind: string;
  readonly def: { readonly properties?: readonly Property[] };
}

interface Property {
  readonly name: string;
  readonly jsDoc?: { readonly doc?: string; readonly tags?: readonly { kind: string; doc?: string }[] };
  readonly location: { readonly filename: string; readonly line: number };
}

async function run(args: readonly string[], stdin?: string): Promise<string> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [...args],
    cwd: root,
    stdin: stdin === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  if (stdin !== undefined) {
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(stdin));
    await writer.close();
  }
  return new TextDecoder().decode((await child.output()).stdout);
}

/** The options of an interface, each with its type as the source has it. */
async function optionsOf(symbols: Symbols, [name, ...picked]: readonly string[]): Promise<string[]> {
  const declaration = Object.values(symbols.nodes).flatMap((module) => module.symbols)
    .find((symbol) => symbol.name === name)?.declarations.find(({ kind }) => kind === "interface");
  if (!declaration?.def.properties) throw new Error(`mod.ts exports no interface ${name}`);
  const rows: string[] = [];
  for (const { name: option, jsDoc, location } of declaration.def.properties) {
    if (picked.length > 0 && !picked.includes(option)) continue;
    const type = typeIn(await Deno.readTextFile(new URL(location.filename)), location.line - 1);
    const standard = jsDoc?.tags?.find(({ kind }) => kind === "default")?.doc;
    // Deno takes a tag for one only where a line begins with it.
    const doc = (jsDoc?.doc ?? "").replace(/\s+/g, " ").trim().replace(/\s*@default (.*)$/, " Default: $1");
    const meaning = doc + (standard ? ` Default: ${standard.trim()}` : "");
    const cells = [`\`${option}\``, `\`${type}\``, meaning.replace(/\{@linkcode ([^}]+)\}/g, "`$1`")];
    rows.push(`| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`);
  }
  return rows;
}

/** The type that is declared at a line, after its comment: what stands between the colon and the semicolon, without `null`. */
function typeIn(source: string, line: number): string {
  const rest = source.split("\n").slice(line).join(" ").replace(/^\s*\/\*\*.*?\*\//, "");
  let depth = 0;
  const start = rest.indexOf(":") + 1;
  for (let at = start; at < rest.length; at++) {
    if ("({[<".includes(rest[at])) depth++;
    else if (")}]>".includes(rest[at]) && rest[at - 1] !== "=") depth--;
    else if (rest[at] === ";" && depth === 0) {
      return rest.slice(start, at).replace(/\s+/g, " ").trim().replace(/ \| null$/, "");
    }
  }
  throw new Error(`no type at line ${line + 1}`);
}

const symbols: Symbols = JSON.parse(await run(["doc", "--json", "mod.ts"]));
const before = await Deno.readTextFile(page);
let text = before;
for (const [name, interfaces] of Object.entries(tables)) {
  const rows = (await Promise.all(interfaces.map((each) => optionsOf(symbols, each)))).flat();
  const table = ["| option | type | meaning |", "| --- | --- | --- |", ...rows].join("\n");
  const marker = RegExp(`<!-- options ${name} -->.*?(?:<!-- end -->|(?=\n## |$(?![^])))`, "s");
  if (!marker.test(text)) throw new Error(`docs/options.md has no place for ${name}`);
  text = text.replace(marker, () => `<!-- options ${name} -->\n\n${table}\n\n<!-- end -->\n`);
}
text = await run(["fmt", "--ext", "md", "-"], text);
if (!Deno.args.includes("--check")) await Deno.writeTextFile(page, text);
else if (before !== text) {
  console.error("docs/options.md is not what the code says: run `deno task draw`");
  Deno.exit(1);
}
