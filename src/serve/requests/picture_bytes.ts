// The bytes of a picture that a request names by a text: base64, a data URL, or an address where that is allowed. A text is
// never taken for a path of the server's own files.
import { collectPieces, joinPieces } from "../../hub/mod.ts";
import { requestFollowing } from "../../hub/network/redirects.ts";
import { HttpError } from "../http_error.ts";
import type { ServeSettings } from "../serve_options.ts";

/** How addresses are fetched. */
export interface PictureAccess
  extends Pick<ServeSettings, "allowAddresses" | "allowPrivateAddresses" | "maxBodyBytes" | "requestTimeout"> {
  readonly signal: AbortSignal;
}

/**
 * The bytes of a picture.
 *
 * @param text Base64, a data URL or an address.
 * @throws {HttpError} 400 if it is none of them, 403 if addresses are not allowed, 413 if the file is too large.
 * @throws {HubError} If it cannot be fetched, or is in a private network.
 */
export async function pictureBytes(text: unknown, access: PictureAccess): Promise<Uint8Array> {
  if (typeof text !== "string" || text === "") {
    throw new HttpError(400, "no_image", "No picture was given: expected base64, a data URL or an address");
  }
  if (/^data:/i.test(text)) return fromDataUrl(text);
  if (/^[a-z][a-z0-9+.-]*:/i.test(text)) return await fetched(text, access);
  return fromBase64(text);
}

function fromDataUrl(text: string): Uint8Array {
  const comma = text.indexOf(",");
  if (comma < 0 || !/;base64$/i.test(text.slice(0, comma))) {
    throw new HttpError(400, "invalid_image", "The picture's data URL is not in base64");
  }
  return fromBase64(text.slice(comma + 1));
}

function fromBase64(text: string): Uint8Array {
  try {
    const bytes = Uint8Array.fromBase64(text.replace(/%2B/gi, "+").replace(/%2F/gi, "/").replace(/%3D/gi, "="));
    if (bytes.length > 0) return bytes;
  } catch {
    // Told below, without the text.
  }
  throw new HttpError(400, "invalid_image", "The picture is no whole base64 text");
}

async function fetched(
  text: string,
  { allowAddresses, allowPrivateAddresses, maxBodyBytes, requestTimeout, signal }: PictureAccess,
): Promise<Uint8Array> {
  const url = URL.parse(text);
  if (!url || !/^https?:$/.test(url.protocol)) {
    throw new HttpError(400, "invalid_image_url", "The picture's address is none of https");
  }
  if (!allowAddresses) {
    throw new HttpError(403, "addresses_not_allowed", "This server fetches no pictures: give them as a data URL");
  }
  if (url.protocol !== "https:" && !allowPrivateAddresses) {
    throw new HttpError(400, "invalid_image_url", "The picture's address is http, and https was expected");
  }
  const tooLarge = () =>
    new HttpError(413, "image_too_large", `The picture under its address has more than ${maxBodyBytes} bytes`);
  const timeouts = { answer: requestTimeout, stall: requestTimeout, total: requestTimeout };
  using answer = await requestFollowing(url, { signal, timeouts, publicOnly: !allowPrivateAddresses });
  if (answer.status !== 200) {
    throw new HttpError(400, "unreachable_image", `The server of the picture answered ${answer.status}`);
  }
  return joinPieces(await collectPieces(answer.body, maxBodyBytes, tooLarge));
}
