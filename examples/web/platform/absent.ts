// Functions of Node's modules that a browser has nothing like: archives of PyTorch and the Hub's cache need them.

function absent(name: string): () => never {
  return () => {
    throw new Error(`Cannot use ${name}: a browser has none`);
  };
}

/** node:zlib, for PyTorch's archives. */
export const crc32: () => never = absent("node:zlib"), inflateRawSync: () => never = absent("node:zlib");
/** node:crypto, for the Hub's cache. */
export const createHash: () => never = absent("node:crypto");
/** node:dns, node:net, node:http, node:https and node:tls, for addresses that must be public. */
export const lookup: () => never = absent("node:dns"), isIP: () => never = absent("node:net");
export const request: () => never = absent("node:http");
export const rootCertificates: readonly string[] = [];

/** node:net, for addresses that must be public. */
export class BlockList {
  constructor() {
    throw new Error("Cannot use node:net: a browser has none");
  }
}
