// Taking a picture with the camera, in a dialog.

/**
 * Show what the camera sees, until a picture is taken or it is closed.
 *
 * @returns The picture; undefined if there is none.
 * @throws {DOMException} If there is no camera, or it is not permitted.
 */
export async function takePicture(dialog: HTMLDialogElement): Promise<Blob | undefined> {
  const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
  const video = dialog.querySelector("video")!;
  video.srcObject = stream;
  dialog.showModal();
  try {
    return await new Promise((resolve) => {
      dialog.querySelector<HTMLElement>("#shoot")!.onclick = () => resolve(frameOf(video));
      dialog.querySelector<HTMLElement>("#cancel")!.onclick = () => resolve(undefined);
      dialog.onclose = () => resolve(undefined);
    });
  } finally {
    for (const track of stream.getTracks()) track.stop();
    video.srcObject = null;
    dialog.close();
  }
}

async function frameOf(video: HTMLVideoElement): Promise<Blob> {
  const canvas = new OffscreenCanvas(video.videoWidth, video.videoHeight);
  canvas.getContext("2d")!.drawImage(video, 0, 0);
  return await canvas.convertToBlob({ type: "image/png" });
}
