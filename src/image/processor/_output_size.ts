// The size that a picture is resized to, for each form of size (Transformers' image_transforms.py and image_utils.py).
import { ConfigError } from "../../errors/mod.ts";
import type { Rectangle } from "./resample.ts";
import type { SizeConfig } from "./processor_settings.ts";

/**
 * The size that `image` is resized to.
 *
 * @param image The picture's size.
 * @param size The processor's size.
 * @throws {ConfigError} If the size has only a longest edge.
 */
export function outputSize(image: Rectangle, size: SizeConfig): Rectangle {
  if ("height" in size) return size;
  if ("max_height" in size) {
    const scale = Math.min(size.max_height / image.height, size.max_width / image.width);
    return { height: Math.trunc(image.height * scale), width: Math.trunc(image.width * scale) };
  }
  if (!("shortest_edge" in size)) {
    throw new ConfigError(
      "Cannot resize a picture: size has only longest_edge, and height and width, max_height and max_width, or " +
        "shortest_edge were expected",
      "size",
    );
  }
  return size.longest_edge
    ? bounded(image, size.shortest_edge, size.longest_edge)
    : shortestEdge(image, size.shortest_edge);
}

/** Make the shorter side `edge`, the other in proportion. */
export function shortestEdge({ height, width }: Rectangle, edge: number): Rectangle {
  const long = Math.trunc(edge * Math.max(height, width) / Math.min(height, width));
  return width <= height ? { height: long, width: edge } : { height: edge, width: long };
}

/** Make the shorter side `edge`, or less where the longer side would exceed `limit`. */
function bounded({ height, width }: Rectangle, edge: number, limit: number): Rectangle {
  const [short, long] = [Math.min(height, width), Math.max(height, width)];
  const exceeds = long / short * edge > limit;
  const raw = exceeds ? limit * short / long : edge;
  const size = exceeds ? roundHalfEven(raw) : edge;
  if (size === short) return { height, width };
  return width < height
    ? { height: Math.trunc(raw * height / width), width: size }
    : { height: size, width: Math.trunc(raw * width / height) };
}

/** Python's `round`. */
function roundHalfEven(x: number): number {
  const floor = Math.floor(x);
  return x - floor === 0.5 ? floor + floor % 2 : Math.round(x);
}

/** The size of a thumbnail: no side larger than the picture's or the limit's (Donut and Nougat). */
export function thumbnailSize(image: Rectangle, limit: Rectangle): Rectangle {
  let height = Math.min(image.height, limit.height);
  let width = Math.min(image.width, limit.width);
  if (height === image.height && width === image.width) return image;
  if (image.height > image.width) width = Math.trunc(image.width * height / image.height);
  else if (image.width > image.height) height = Math.trunc(image.height * width / image.width);
  return { height, width };
}
