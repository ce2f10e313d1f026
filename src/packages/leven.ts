// leven: Levenshtein's edit distance between two strings, counted in UTF-16 units.
export { default as leven } from "npm:leven@4.1.0";
