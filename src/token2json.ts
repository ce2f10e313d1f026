// Donut's tagged text as an object: `<s_key>value</s_key>` is a field, `<sep/>` stands between the entries of a list.

/** A field's value. */
export type TaggedValue = string | TaggedObject | (string | TaggedObject)[];

/** The fields of tagged text. */
export interface TaggedObject {
  [key: string]: TaggedValue;
}

const only = <T>(values: T[]): T | T[] => values.length === 1 ? values[0] : values;

/** The objects of text; none where it has no tags. The rest of the text is given back. */
function parse(text: string): { objects: TaggedObject[]; rest: string } {
  const object: TaggedObject = {};
  const own = () => Object.keys(object).length > 0 ? [object] : [];
  for (let start: RegExpExecArray | null; (start = /<s_(.*?)>/i.exec(text));) {
    const [opening, key] = start;
    const closing = `</s_${key}>`;
    const end = text.toLowerCase().indexOf(closing.toLowerCase());
    if (end < 0) {
      text = text.replaceAll(opening, "");
      continue;
    }
    const from = start.index + opening.length;
    if (end >= from) {
      const content = text.slice(from, end).trim();
      if (content.includes("<s_") && content.includes("</s_")) {
        const { objects } = parse(content);
        if (objects.length > 0) object[key] = only(objects);
      } else {
        object[key] = only(content.split("<sep/>").map((leaf) => leaf.trim().replace(/^<(.*)\/>$/s, "$1")));
      }
    }
    text = text.slice(end + closing.length).trim();
    if (text.startsWith("<sep/>")) {
      const { objects, rest } = parse(text.slice(6));
      return { objects: [object, ...objects], rest };
    }
  }
  return { objects: own(), rest: text };
}

/**
 * Turn Donut's tagged text into an object, as transformers.DonutProcessor.token2json. A leaf such as `<yes/>` becomes
 * `yes`.
 *
 * @returns The fields, a list of objects where `<sep/>` stands between them, or `text_sequence` where there is no tag.
 */
export function token2json(text: string): TaggedObject | TaggedObject[] {
  const { objects, rest } = parse(text);
  return objects.length === 0 ? { text_sequence: rest } : only(objects);
}
