// Where the model looked, as a glow over the picture: cells that were not looked at are dimmed.

/**
 * Draw the attention of a word over the picture.
 *
 * @param heat The share of attention on each cell, shape [rows, columns].
 * @param cell The height and width of a cell as shares of the picture's.
 */
export function showHeat(
  canvas: HTMLCanvasElement,
  heat: Float32Array,
  [rows, columns]: readonly [number, number],
  [height, width]: readonly [number, number],
): void {
  const most = heat.reduce((most, value) => Math.max(most, value), 0) || 1;
  const small = new OffscreenCanvas(columns, rows);
  const pixels = new ImageData(columns, rows);
  heat.forEach((value, i) => {
    const share = value / most;
    pixels.data.set([255 * share, 180 * share, 20 * share, 190 - 110 * share], 4 * i);
  });
  small.getContext("2d")!.putImageData(pixels, 0, 0);
  [canvas.width, canvas.height] = [canvas.clientWidth, canvas.clientHeight];
  const context = canvas.getContext("2d")!;
  context.imageSmoothingQuality = "high";
  context.drawImage(small, 0, 0, canvas.width * width * columns, canvas.height * height * rows);
}

/** Show the picture as it is. */
export function hideHeat(canvas: HTMLCanvasElement): void {
  canvas.getContext("2d")!.clearRect(0, 0, canvas.width, canvas.height);
}
