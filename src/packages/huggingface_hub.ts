// @huggingface/hub: uploading to the Hub.

/** What is used of it. */
type Uploads = Pick<typeof import("npm:@huggingface/hub@2.17.5"), "createRepo" | "uploadFiles" | "HubApiError">;

/** Computed, so that Deno downloads the package for those who upload and for nobody else. */
const packageName: string = ["npm:@huggingface/hub", "2.17.5"].join("@");

/** Load what makes repositories and uploads files. It is imported when something is uploaded, and only then. */
export async function loadHubUploads(): Promise<Uploads> {
  return await import(packageName);
}
