// Addresses as messages may show them.

/** An address for messages: without its query, which may contain a signature, and without a password. */
export function withoutSecrets(url: URL): string {
  return `${url.origin}${url.pathname}`;
}
