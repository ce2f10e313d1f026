// Downloads whose content or way is wrong: they never get a name in the cache, and each error names the address and the file.
import { assert, assertEquals, assertRejects } from "@std/assert";
import { HubError, type HubErrorCode } from "../../src/errors/mod.ts";
import type { HubRepositoryOptions } from "../../src/hub/hub_repository.ts";
import type { Fault, HubServer } from "./hub_server.ts";
import { assertWhole, files, weights } from "./download_cases.ts";
import { folderOf, namesIn, withHub } from "./hub_fixture.ts";

const bad: readonly {
  readonly what: string;
  readonly break: (server: HubServer) => Fault;
  readonly options?: HubRepositoryOptions;
  readonly file: string;
  readonly message: string;
  readonly code: HubErrorCode;
}[] = [
  {
    what: "another content of the same length in a large file",
    break: () => ({ cdn }) => cdn ? partOf(new Uint8Array(weights.length)) : undefined,
    file: "model.safetensors",
    message: "its SHA-256 is",
    code: "damaged",
  },
  {
    what: "another content of the same length in a small file",
    break: () => after("resolve-cache", (headers) => new Response(`{"b": 1}`, { headers })),
    file: "config.json",
    message: "its git SHA-1 is",
    code: "damaged",
  },
  {
    what: "a large file of another length",
    break: () => ({ cdn }) => cdn ? partOf(weights.subarray(0, -1)) : undefined,
    file: "model.safetensors",
    message: `it has ${weights.length - 1} bytes, and ${weights.length} bytes were announced`,
    code: "damaged",
  },
  {
    what: "a body that always ends early",
    break: () => ({ cdn, range }) => cdn ? new Response("abc", { status: 206, headers: rangeOf(range!) }) : undefined,
    file: "model.safetensors",
    message: "bytes early; it was tried 5 times",
    code: "network",
  },
  {
    what: "HTML where JSON should be",
    break: () => () => new Response("<html>please log in</html>", { headers: { "content-type": "text/html" } }),
    file: "config.json",
    message: "the answer has no X-Repo-Commit",
    code: "network",
  },
  {
    what: "redirects in a circle on the Hub",
    break: (server) => ({ path }) => Response.redirect(`${server.url}${path}`, 302),
    file: "config.json",
    message: "it redirects more than 10 times",
    code: "network",
  },
  {
    what: "redirects in a circle elsewhere",
    break: (server) => ({ cdn, path }) => cdn ? Response.redirect(`${server.cdnUrl}${path}`, 302) : undefined,
    file: "model.safetensors",
    message: "it redirects more than 10 times",
    code: "network",
  },
  {
    what: "a redirect to a file",
    break: () => () => new Response("", { status: 302, headers: { location: "file:///etc/passwd" } }),
    file: "config.json",
    message: "redirects to",
    code: "network",
  },
  {
    what: "a redirect without an address",
    break: () => () => new Response("", { status: 302 }),
    file: "config.json",
    message: "without an address to go to",
    code: "network",
  },
  {
    what: "an etag that is a path",
    break: () =>
      after("/main/config.json", (headers) => new Response("x", { headers }), { "x-linked-etag": `"../../x"` }),
    file: "config.json",
    message: `its ETag is "../../x", which names no file`,
    code: "damaged",
  },
  {
    what: "a commit that is a path",
    break: () =>
      after("/main/config.json", (headers) => new Response("x", { headers }), { "x-repo-commit": "../../x" }),
    file: "config.json",
    message: `X-Repo-Commit is "../../x"`,
    code: "damaged",
  },
  {
    what: "another commit than was asked for",
    break: () => ({ path }) => path.includes("model.safetensors") ? wrongCommit : undefined,
    file: "model.safetensors",
    message: `X-Repo-Commit is "${"d".repeat(40)}"`,
    code: "damaged",
  },
  {
    what: "a connection that says nothing",
    break: () => ({ path }) => path.includes("/resolve/") ? new Promise(() => {}) : undefined,
    options: { timeouts: { answer: 50 }, retryPolicy: { tries: 2, wait: 1 } },
    file: "config.json",
    message: "no answer came for 0.05 s",
    code: "network",
  },
];

const wrongCommit = new Response(null, { status: 404, headers: { "x-repo-commit": "d".repeat(40) } });

function partOf(content: Uint8Array<ArrayBuffer>): Response {
  return new Response(content, { headers: { "content-length": String(content.length) } });
}

function rangeOf(range: string): Record<string, string> {
  return { "content-range": `${range.replace("=", " ")}/${weights.length}` };
}

/** Answer requests for a path with the Hub's headers and another body. */
function after(
  path: string,
  answer: (headers: Record<string, string>) => Response,
  own: Record<string, string> = {},
): Fault {
  const etag = `"${"a".repeat(40)}"`;
  return (request) =>
    request.path.includes(path) ? answer({ "x-repo-commit": "b".repeat(40), etag, ...own }) : undefined;
}

for (const { what, break: fault, options, file, message, code } of bad) {
  Deno.test(`${what} is refused by address and file, and the cache stays sound`, async () => {
    await withHub(async ({ server, cacheDir, open }) => {
      server.publish("org/name", files);
      server.fault = fault(server);
      const repository = await open("org/name", options);
      const error = await assertRejects(() => repository.open(file), HubError, message);
      assertEquals(error.code, code);
      assert([server.url, server.cdnUrl].some((url) => error.message.includes(url)), error.message);
      assert(!error.message.includes("Signature"), "a signed address is in the message");
      const snapshots = `${folderOf(cacheDir, "org/name")}/snapshots`;
      for (const commit of await namesIn(snapshots)) assert(!(await namesIn(`${snapshots}/${commit}`)).includes(file));
      server.fault = undefined;
      await assertWhole(await open("org/name"));
      assertEquals((await namesIn(`${folderOf(cacheDir, "org/name")}/blobs`)).length, 2, "something was left behind");
    });
  });
}
