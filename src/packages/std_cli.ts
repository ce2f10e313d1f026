// @std/cli: parsing of command-line arguments.
export { parseArgs } from "jsr:@std/cli@^1/parse-args";
