// @huggingface/hub: uploading to the Hub.

/** The exports that are used. */
type Uploads = Pick<typeof import("npm:@huggingface/hub@2.17.5"), "createRepo" | "uploadFiles" | "HubApiError">;

/** Computed, so that Deno downloads the package only for users who upload. */
const packageName: string = ["npm:@huggingface/hub", "2.17.5"].join("@");

/** Load the functions that create repositories and upload files. The package is imported only when something is uploaded. */
export async function loadHubUploads(): Promise<Uploads> {
  return await import(packageName);
}
