// Uploading to a Hub of this machine: what is asked for, by whom, and that what was uploaded loads by its name.
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { Captioner, pushModel } from "../../mod.ts";
import { HubError, OptionError } from "../../src/errors/mod.ts";
import { caption, root } from "../cli/command_process.ts";
import { withHub } from "./hub_fixture.ts";
import type { Fault, HubServer } from "./hub_server.ts";

/** Take uploads as the Hub does, and publish what a commit holds. */
function uploads(server: HubServer): { fault: Fault; made: Record<string, unknown>[] } {
  const large = new Map<string, Uint8Array>();
  const made: Record<string, unknown>[] = [];
  const fault: Fault = async ({ path, method, authorization }, request) => {
    if (method === "GET" || method === "HEAD") return undefined;
    const stored = /^\/upload\/([0-9a-f]{64})$/.exec(path);
    if (stored) {
      large.set(stored[1], await request.bytes());
      return new Response();
    }
    if (!server.tokens.valid.has(authorization?.replace("Bearer ", "") ?? "")) {
      return Response.json({ error: "Invalid credentials" }, { status: 401 });
    }
    if (path === "/api/repos/create") {
      if (made.length > 0) return Response.json({ error: "You already created this model repo" }, { status: 409 });
      made.push(await request.json());
      return Response.json({ url: `${server.url}/org/new` });
    }
    if (path.includes("/preupload/")) {
      const { files } = await request.json() as { files: { path: string }[] };
      const mode = (path: string) => path.endsWith(".safetensors") ? "lfs" : "regular";
      return Response.json({ files: files.map(({ path }) => ({ path, uploadMode: mode(path), shouldIgnore: false })) });
    }
    if (path.endsWith("/objects/batch")) {
      const { objects } = await request.json() as { objects: { oid: string }[] };
      const actions = ({ oid }: { oid: string }) => ({ upload: { href: `${server.url}/upload/${oid}` } });
      return Response.json({ objects: objects.map((object) => ({ ...object, actions: actions(object) })) });
    }
    const [, name, branch] = /^\/api\/models\/(.+)\/commit\/(.+)$/.exec(path)!;
    const lines = (await request.text()).trim().split("\n").map((line) => JSON.parse(line));
    const files = Object.fromEntries(
      lines.slice(1).map(({ key, value }) => [
        value.path,
        key === "lfsFile" ? large.get(value.oid)! : Uint8Array.fromBase64(value.content),
      ]),
    );
    const commit = server.publish(name, files, { branch });
    made.push(lines[0].value);
    return Response.json({ success: true, commitOid: commit, commitUrl: `${server.url}/${name}/commit/${commit}` });
  };
  return { fault, made };
}

Deno.test("savePretrained() with pushToHub uploads a model that loads by its name, with a model card", async () => {
  await withHub(async ({ server, cacheDir }) => {
    const { fault, made } = uploads(server);
    server.fault = fault;
    const hub = { endpoint: server.url, token: "hf_valid" };
    const folder = `${cacheDir}/saved %20 é`;
    await using captioner = await Captioner.load(undefined, { backend: "reference" });
    await captioner.savePretrained(folder, { pushToHub: "org/new", push: { ...hub, private: true, message: "First" } });
    assertEquals(made, [{ name: "new", organization: "org", type: "model", visibility: "private" }, {
      summary: "First",
    }]);

    await using loaded = await Captioner.load("org/new", { ...hub, cacheDir, backend: "reference" });
    assertEquals(await loaded.caption(`${root}assets/examples/line.png`), "ninth century Zen master");
    const response = await fetch(`${server.url}/org/new/resolve/main/README.md`);
    const card = await response.text();
    assertStringIncludes(card, "pipeline_tag: image-to-text");
    assertStringIncludes(card, "- encoder: vit");

    // A repository that is there already gets another commit; no token is in it, nor in an error.
    const { commit, url } = await pushModel(folder, "org/new", { ...hub, revision: "other" });
    assertEquals(url, `${server.url}/org/new/commit/${commit}`);
    const refused = () => pushModel(folder, "org/new", { ...hub, token: "hf_wrong" });
    const error = await assertRejects(refused, HubError, `Cannot upload ${folder} to ${server.url}/org/new: `);
    assertEquals(error.code, "not-allowed");
    assert(!Deno.inspect(error.message).includes("hf_wrong"));
    await assertRejects(() => pushModel(folder, "org/new", { ...hub, token: "" }), HubError, "there is no token");
    await assertRejects(() => pushModel(folder, "a/b/c", hub), OptionError, "expected a name");
    await assertRejects(() => pushModel(`${cacheDir}/none`, "org/new", hub), HubError, "Cannot upload");
  });
});

Deno.test("caption.ts push uploads a folder, and ends with 4 where it may not", async () => {
  await withHub(async ({ server }) => {
    server.fault = uploads(server).fault;
    const env = { HF_ENDPOINT: server.url, HF_HUB_OFFLINE: "", HF_TOKEN: "hf_valid" };
    const pushed = await caption(["push", "assets/model", "org/new", "--private"], { env });
    assertEquals([pushed.code, pushed.stderr], [0, ""]);
    assertStringIncludes(pushed.stdout, `${server.url}/org/new/commit/`);
    const refused = await caption(["push", "assets/model", "org/new"], { env: { ...env, HF_TOKEN: "hf_wrong" } });
    assertEquals([refused.code, refused.complaints.length], [4, 1], refused.stderr);
    assertEquals((await caption(["push", "assets/model"], { env })).code, 2);
  });
});
