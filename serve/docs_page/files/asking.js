// A request that the form describes: as fetch takes it, and as examples write it.

const EXTENSIONS = {
  "image/png": "png", "image/jpeg": "jpg", "image/webp": "webp", "application/x-npy": "npy", "application/zip": "zip",
  "application/octet-stream": "bin", "video/mp4": "mp4", "multipart/mixed": "multipart",
};

export class Asking {
  /**
   * @param values of the form: `query` as pairs, `accept` or "", `files`
   * @param guarded whether the server wants a key
   */
  constructor({ method, path, requestBody }, { query, accept, files }, guarded = false) {
    this.guarded = guarded;
    this.method = method.toUpperCase();
    this.path = path;
    this.query = query;
    this.accept = accept;
    this.files = files;
    this.field = fieldOf(requestBody);
    this.wantsFile = Boolean(requestBody);
  }

  get address() {
    const query = new URLSearchParams(this.query).toString();
    return this.path.slice(1) + (query && `?${query}`);
  }

  get url() {
    return new URL(this.address, document.baseURI).href;
  }

  /** What the answer may be saved as; null where it is text. */
  get output() {
    const extension = EXTENSIONS[this.accept];
    return extension ? `answer.${extension}` : null;
  }

  /** Names of files: those chosen, else one that says what to give. */
  get names() {
    if (!this.wantsFile) return [];
    return this.files.length ? this.files.map((file) => file.name) : [this.field === "video" ? "street.mp4" : "street.jpg"];
  }

  options() {
    const headers = this.accept ? { Accept: this.accept } : {};
    if (!this.wantsFile) return { method: this.method, headers };
    const body = new FormData();
    for (const file of this.files) body.append(this.field, file);
    return { method: this.method, headers, body };
  }
}

/** The form field of the files, and whether it takes several. */
export function fieldOf(requestBody) {
  return Object.keys(requestBody?.content["multipart/form-data"]?.schema.properties ?? {})[0] ?? null;
}
