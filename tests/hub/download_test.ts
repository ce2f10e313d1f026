// Downloads that go wrong on their way: what breaks is gone on with, what is wrong never gets a name in the cache, and
// each error names the address and the file.
import { assert, assertEquals, assertRejects } from "@std/assert";
import { FormatError, HubError } from "../../src/errors/mod.ts";
import type { Network } from "../../src/hub/network/private_addresses.ts";
import { pieceBytes } from "../../src/hub/cache/partial_file.ts";
import { deno } from "../cli/command_process.ts";
import type { Fault } from "./hub_server.ts";
import { assertWhole, files, weights } from "./download_cases.ts";
import { folderOf, namesIn, withHub } from "./hub_fixture.ts";

Deno.test("a broken connection is gone on with, at the piece where it broke", async () => {
  await withHub(async ({ server, open }) => {
    server.publish("org/name", files);
    server.breakAfter = 3 * pieceBytes + 7;
    const done: number[] = [];
    const onProgress = ({ done: bytes }: { done: number }) => void done.push(bytes);
    await assertWhole(await open("org/name", { onProgress }));
    const sent = server.requests.filter(({ cdn }) => cdn).reduce((sum, { sent }) => sum + sent, 0);
    const breaks = server.requests.filter(({ cdn }) => cdn).length;
    assert(breaks > 4 && sent - weights.length < breaks * pieceBytes, `${sent} of ${weights.length} in ${breaks}`);
    assertEquals(done.at(-1), weights.length);
  });
});

Deno.test("a server without ranges sends the whole, once", async () => {
  await withHub(async ({ server, open }) => {
    server.publish("org/name", files);
    server.ranges = false;
    await assertWhole(await open("org/name"));
    assertEquals(server.requests.filter(({ cdn }) => cdn).map(({ sent }) => sent), [weights.length]);
  });
});

Deno.test("a signed address that is no longer good is asked for anew", async () => {
  await withHub(async ({ server, open }) => {
    server.publish("org/name", files);
    let refused = 0;
    server.fault = ({ cdn, range }) => {
      if (!cdn || range?.startsWith("bytes=0-") || refused++ > 0) return undefined;
      return new Response("expired", { status: 403 });
    };
    await assertWhole(await open("org/name"));
    assert(refused > 0);
  });
});

Deno.test("a server that is busy is asked again when it wishes, by its own clock, and not for ever", async () => {
  await withHub(async ({ server, open }) => {
    server.publish("org/name", files);
    const busy = (retryAfter: string, date: string, times: number): Fault => ({ path }) => {
      const headers = { "retry-after": retryAfter, date };
      return path.includes("/main/") && times-- > 0 ? new Response("", { status: 429, headers }) : undefined;
    };
    // Its clock is a year ahead of ours, or ours is a year behind.
    const now = Date.now() + 365 * 86400e3;
    const [date, soon] = [now, now + 1000].map((time) => new Date(time).toUTCString());
    const began = performance.now();
    server.fault = busy(soon, date, 1);
    await assertWhole(await open("org/name"));
    const waited = performance.now() - began;
    assert(waited > 900 && waited < 20_000, `${waited} ms`);

    const ask = async (fault: Fault, message: string) => {
      server.fault = fault;
      server.requests.length = 0;
      const { commit } = await open("org/other");
      assertEquals((await assertRejects(() => commit, HubError, message)).code, "network");
    };
    await ask(busy("0", "", Infinity), "config.json: the server answered 429; it was tried 5 times");
    assertEquals(server.requests.length, 5);
    await ask(busy("86400", "", Infinity), "the server answered 429, and asks to wait for 86400 s");
    assertEquals(server.requests.length, 1);
  });
});

/** What a hostile or broken server sends, and what is said of it. */
Deno.test("a public Hub may not send us to a private address, a private one may", async () => {
  await withHub(async ({ server, open }) => {
    server.publish("org/name", files);
    // Both hosts are 127.0.0.1: it counts as public when the Hub is looked up, which comes first, and never again.
    let asked = 0;
    const resolve = (address: string) => Promise.resolve([{ address, family: 4 }]);
    const network: Network = { resolve, isPrivate: () => asked++ > 0 };
    const repository = await open("org/name", { network });
    await repository.readText("config.json");
    const error = await assertRejects(() => repository.open("model.safetensors"), HubError, "is a private address");
    assert(error.message.includes(server.cdnUrl) && error.code === "not-allowed", error.message);
    await assertWhole(await open("org/name", { network: { ...network, isPrivate: () => true } }));
  });
});

Deno.test("where private addresses are refused, the address that was checked is connected to", async () => {
  await withHub(async ({ server, open }) => {
    const commit = server.publish("org/name", files);
    const { port } = new URL(server.cdnUrl);
    const asked: string[] = [];
    const network: Network = {
      resolve: (host) => {
        asked.push(host);
        return Promise.resolve([{ address: "127.0.0.1", family: 4 }]);
      },
      isPrivate: () => false,
    };
    server.fault = ({ cdn, path }) =>
      !cdn && path.includes("model.safetensors")
        ? new Response("", {
          status: 302,
          headers: {
            location: `http://files.example:${port}${path}`,
            "x-repo-commit": commit,
            "x-linked-etag": "plain",
            "x-linked-size": "3",
          },
        })
        : cdn
        ? new Response("abc")
        : undefined;
    const file = (await (await open("org/name", { network })).open("model.safetensors"))!;
    assertEquals(new TextDecoder().decode(await file.read(0, 3)), "abc");
    assertEquals(asked, ["127.0.0.1", "files.example"], "no other lookup was made");
  });
});

Deno.test("a name that leads out of the repository, and a link that leads out of the cache, are refused", async () => {
  await withHub(async ({ server, cacheDir, open }) => {
    const commit = server.publish("org/name", files);
    const repository = await open("org/name");
    for (const file of ["../x", "/etc/passwd", "a/../../x", "a\\b", ""]) {
      await assertRejects(() => repository.open(file), HubError, "must lie inside the repository");
    }
    const snapshot = `${folderOf(cacheDir, "org/name")}/snapshots/${commit}`;
    await Deno.mkdir(snapshot, { recursive: true });
    await Deno.symlink("/etc/hostname", `${snapshot}/config.json`);
    const linked = await open("org/name", { revision: commit });
    await assertRejects(
      () => linked.readText("config.json"),
      HubError,
      `${snapshot}/config.json: it is a symbolic link`,
    );
  });
});

Deno.test("a cache that cannot be written is an error that names it, and one that can be read serves", async () => {
  await withHub(async ({ server, cacheDir, open }) => {
    server.publish("org/name", files);
    await Deno.writeTextFile(`${cacheDir}/file`, "");
    const repository = await open("org/name", { cacheDir: `${cacheDir}/file/cache` });
    await assertRejects(
      () => repository.readText("config.json"),
      HubError,
      `Cannot write ${cacheDir}/file/cache/models--`,
    );
    await assertWhole(await open("org/name"));
    const blob = `${folderOf(cacheDir, "org/name")}/refs/main`;
    await Deno.chmod(blob, 0o444);
    await assertWhole(await open("org/name"));
  });
});

Deno.test("a full disk is an error that names the file, and what has come is kept", async () => {
  if (Deno.build.os === "windows") return;
  await withHub(async ({ server, cacheDir, open }) => {
    server.publish("org/name", files);
    const script = `${cacheDir}/load.ts`;
    const module = import.meta.resolve("../../src/hub/mod.ts");
    await Deno.writeTextFile(
      script,
      `import { openRepository } from ${JSON.stringify(module)};
      const repository = await openRepository("org/name", ${JSON.stringify({ endpoint: server.url, cacheDir })});
      try { await repository.open("model.safetensors"); } catch (error) { console.log(error.name, error.message); }`,
    );
    // A file may have 21 MB: the part with the journal is refused by the system as a full disk would.
    const limited = `trap '' XFSZ; ulimit -f $((20 * 1024)); exec "$0" run --no-check --quiet -A "$@"`;
    const { stdout } = await new Deno.Command("bash", { args: ["-c", limited, Deno.execPath(), script] }).output();
    const said = new TextDecoder().decode(stdout);
    const blobs = `${folderOf(cacheDir, "org/name")}/blobs`;
    assert(
      said.startsWith(`WriteError Cannot write ${blobs}/`) &&
        said.includes("not be as large there; what has come is kept"),
      said,
    );
    await assertWhole(await open("org/name"));
    assertEquals((await namesIn(blobs)).length, 2);
  });
});

Deno.test("several at once fetch a file once", async () => {
  await withHub(async ({ server, cacheDir, open }) => {
    server.publish("org/name", files);
    server.rate = 100e6;
    const script = `${cacheDir}/load.ts`;
    const options = { endpoint: server.url, cacheDir, localFilesOnly: false };
    await Deno.writeTextFile(
      script,
      `import { openRepository } from ${JSON.stringify(import.meta.resolve("../../src/hub/mod.ts"))};
      const repository = await openRepository("org/name", ${JSON.stringify(options)});
      console.log((await repository.open("model.safetensors")).size);`,
    );
    const others = [1, 2].map(() => deno(["--no-check", script]));
    await Promise.all(
      [open("org/name"), open("org/name")].map(async (repository) => await assertWhole(await repository)),
    );
    for (const { stdout, stderr } of await Promise.all(others)) assertEquals(stdout, `${weights.length}\n`, stderr);
    const sent = server.requests.filter(({ cdn }) => cdn).reduce((sum, { sent }) => sum + sent, 0);
    assertEquals(sent, weights.length);
    assertEquals((await namesIn(`${folderOf(cacheDir, "org/name")}/blobs`)).length, 2);
  });
});

Deno.test("an abort ends a download at every moment, and the next goes on from there", async () => {
  await withHub(async ({ server, open }) => {
    server.publish("org/name", files);
    server.rate = 50e6;
    for (const bytes of [1, 5 * pieceBytes, 18 * pieceBytes]) {
      const stop = new AbortController();
      const onProgress = ({ done }: { done: number }) => done >= bytes && stop.abort(new Error("enough"));
      const repository = await open("org/name", { signal: stop.signal, onProgress });
      await assertRejects(() => repository.open("model.safetensors"), Error, "enough");
    }
    const before = server.requests.length;
    await assertWhole(await open("org/name"));
    const rest = server.requests.slice(before).filter(({ cdn }) => cdn).reduce((sum, { sent }) => sum + sent, 0);
    assert(rest < 4 * pieceBytes, `${rest} bytes were fetched again`);
  });
});

Deno.test("a small file that is no UTF-8 is an error of its format", async () => {
  await withHub(async ({ server, open }) => {
    server.publish("org/name", { "config.json": Uint8Array.of(0xff) });
    const repository = await open("org/name");
    await assertRejects(() => repository.readText("config.json"), FormatError, "org/name/config.json: it is not UTF-8");
  });
});
