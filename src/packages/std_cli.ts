// @std/cli: the command line in its parts.
export { parseArgs } from "jsr:@std/cli@^1/parse-args";
