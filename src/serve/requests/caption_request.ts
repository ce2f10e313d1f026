// POST /caption: a picture as the whole body, as a field of a form, or as a text in JSON; what is asked of its text beside it.
import { HttpError } from "../http_error.ts";
import { type PictureAccess, pictureBytes } from "./picture_bytes.ts";
import { jsonOf } from "./read_body.ts";
import { type TextOptions, textOptionsOf } from "./text_options.ts";

/** A picture, and what is asked of its text. */
export interface PictureRequest {
  readonly picture: Uint8Array;
  readonly options: TextOptions;
}

/** What a body is read with. */
export interface RequestAccess extends PictureAccess {
  readonly maxBeams: number;
}

/** Types of a body that is a picture; many clients say no better than the last two. */
const ofPictures = /^(?:image\/[\w.+-]+|application\/octet-stream|application\/x-www-form-urlencoded)$/;

/**
 * What a request to /caption asks for.
 *
 * @param request Its headers and address; the body was read.
 * @throws {HttpError} 415 if the body is of a type that holds no picture, 400 if something is wrong with it.
 */
export async function captionRequestOf(
  request: Request,
  body: Uint8Array<ArrayBuffer>,
  access: RequestAccess,
): Promise<PictureRequest> {
  const query = fieldsOf(new URL(request.url).searchParams);
  const { maxBeams } = access;
  const given = request.headers.get("content-type") ?? "application/octet-stream";
  const type = given.split(";")[0].trim().toLowerCase();
  if (type === "application/json") {
    const { image, ...fields } = jsonOf(body);
    const options = { ...textOptionsOf(query, { areTexts: true, maxBeams }), ...textOptionsOf(fields, { maxBeams }) };
    return { picture: await pictureBytes(image, access), options };
  }
  if (type === "multipart/form-data") return await formRequest(body, given, { query, access });
  if (!ofPictures.test(type)) {
    throw new HttpError(
      415,
      "unsupported_type",
      `The body is ${type.slice(0, 64)}: expected a picture, multipart/form-data or application/json`,
    );
  }
  return { picture: body, options: textOptionsOf(query, { areTexts: true, maxBeams }) };
}

/** Fields of a query or a form. @throws {HttpError} 400 if one comes twice. */
function fieldsOf(entries: Iterable<[string, FormDataEntryValue]>): Record<string, FormDataEntryValue> {
  const fields: Record<string, FormDataEntryValue> = {};
  for (const [name, value] of entries) {
    if (Object.hasOwn(fields, name)) {
      throw new HttpError(400, "repeated_field", `The field ${JSON.stringify(name.slice(0, 64))} is there twice`);
    }
    fields[name] = value;
  }
  return fields;
}

async function formRequest(
  body: Uint8Array<ArrayBuffer>,
  type: string,
  { query, access }: { readonly query: Record<string, unknown>; readonly access: RequestAccess },
): Promise<PictureRequest> {
  let form: FormData;
  try {
    form = await new Response(body, { headers: { "content-type": type } }).formData();
  } catch {
    throw new HttpError(400, "invalid_form", "The body is no whole multipart/form-data");
  }
  const { image, file, ...fields } = fieldsOf(form.entries());
  const picture = image ?? file;
  if (picture === undefined || (image !== undefined && file !== undefined)) {
    throw new HttpError(400, "no_image", "The form has no field image, or both image and file: expected one picture");
  }
  const options = textOptionsOf({ ...query, ...fields }, { areTexts: true, maxBeams: access.maxBeams });
  if (typeof picture === "string") return { picture: await pictureBytes(picture, access), options };
  return { picture: await picture.bytes(), options };
}
