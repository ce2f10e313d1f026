// The part of @std/cli that the command uses, for machines that cannot reach JSR; remove "links" from deno.json to get
// the real package.
export * from "./parse_args.ts";
