// Pictures that are kept with their text as alternative text, ready to be put into a page.

/** The element of HTML for a picture. */
export function imageElement(text: string): string {
  const escaped = text.replaceAll("&", "&amp;").replaceAll('"', "&quot;").replaceAll("<", "&lt;");
  return `<img src="picture" alt="${escaped}">`;
}

/**
 * Add a picture to a list, and copy its element of HTML.
 *
 * @param picture The picture, whose alt text is its text.
 * @returns What was done, for a person to read.
 */
export async function keep(picture: HTMLImageElement, list: HTMLElement): Promise<string> {
  const own = await (await fetch(picture.src)).blob(); // the page gives its own address of it up with the next picture
  const image = document.createElement("img");
  [image.src, image.alt] = [URL.createObjectURL(own), picture.alt];
  const code = document.createElement("code");
  code.textContent = imageElement(picture.alt);
  const item = document.createElement("li");
  item.append(image, code);
  list.append(item);
  try {
    await navigator.clipboard.writeText(code.textContent);
    return "Kept with its alt text, and copied as HTML";
  } catch {
    return "Kept with its alt text";
  }
}
