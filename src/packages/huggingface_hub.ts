// @huggingface/hub: uploading to the Hub.

/** Load what makes repositories and uploads files. It is imported when something is uploaded, and only then. */
export async function loadHubUploads(): Promise<
  Pick<typeof import("npm:@huggingface/hub@2.17.5"), "createRepo" | "uploadFiles" | "HubApiError">
> {
  return await import("npm:@huggingface/hub@2.17.5");
}
