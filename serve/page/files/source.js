// What is looked at: a picture, a video file, or the camera.

const JPEG_QUALITY = 0.9;
const LARGEST_SIDE = 2048; // pixels of a picture as it is shown; phones have no memory for more
const CAMERA = { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30 } };

/** A picture; `shown` is null if this browser cannot read it, which does not mean that the server cannot. */
export class Still {
  kind = "still";
  live = false;

  static async open(file) {
    return new Still(file, await createImageBitmap(file).then(fitting, () => null));
  }

  constructor(file, shown) {
    Object.assign(this, { file, shown });
  }

  close() {
    this.shown?.close();
  }
}

/** Frames of a `<video>`. `frame` changes with each new one, and `listeners` are called. */
class Moving {
  live = true;
  frame = 0;
  listeners = new Set();

  constructor(video) {
    this.video = video;
    this.#next();
  }

  /** The present frame: as it is shown, and as a JPEG of the network's size. */
  async grab({ height, width }) {
    const picture = await createImageBitmap(this.video);
    const canvas = new OffscreenCanvas(width, height);
    const context = canvas.getContext("2d", { alpha: false });
    context.imageSmoothingQuality = "medium";
    context.drawImage(picture, 0, 0, width, height);
    return { picture, jpeg: await canvas.convertToBlob({ type: "image/jpeg", quality: JPEG_QUALITY }) };
  }

  close() {
    this.listeners.clear();
    this.closed = true;
    this.video.pause();
    this.video.removeAttribute("src");
    this.video.srcObject = null;
    this.video.remove();
  }

  #next() {
    this.video.requestVideoFrameCallback(() => {
      if (this.closed) return;
      this.frame += 1;
      for (const listener of this.listeners) listener();
      this.#next();
    });
  }
}

/** A video file, played again and again. */
export class Film extends Moving {
  kind = "film";

  /** @throws Error if this browser cannot play it */
  static async open(file, into) {
    const video = player(into);
    video.loop = true;
    video.src = URL.createObjectURL(file);
    try {
      await video.play();
    } catch (error) {
      URL.revokeObjectURL(video.src);
      video.remove();
      throw new Error(`This browser cannot play ${file.name || "this video"}.`, { cause: error });
    }
    return new Film(video, file);
  }

  constructor(video, file) {
    super(video);
    this.file = file;
  }

  close() {
    URL.revokeObjectURL(this.video.src);
    super.close();
  }
}

/** The camera that looks away from the person, where there are two. */
export class Camera extends Moving {
  kind = "camera";

  /** @throws Error that says in words why there is no camera */
  static async open(into, ended) {
    if (!navigator.mediaDevices) {
      throw new Error("Browsers lend the camera only to pages from https:// or localhost. Open this page there.");
    }
    let stream;
    try {
      const wanted = { ...CAMERA, facingMode: { ideal: "environment" } };
      stream = await navigator.mediaDevices.getUserMedia({ video: wanted, audio: false });
    } catch (error) {
      throw new Error(refusal(error), { cause: error });
    }
    const video = player(into);
    video.srcObject = stream;
    await video.play();
    for (const track of stream.getVideoTracks()) track.onended = () => ended("The camera was taken away.");
    return new Camera(video);
  }

  close() {
    for (const track of this.video.srcObject.getTracks()) {
      track.onended = null;
      track.stop();
    }
    super.close();
  }
}

function refusal(error) {
  switch (error.name) {
    case "NotAllowedError":
      return "The camera was refused. Allow it for this page in the browser's settings, then choose Camera again.";
    case "NotFoundError":
      return "There is no camera here.";
    case "NotReadableError":
      return "The camera is in use by another program.";
    default:
      return `The camera does not start: ${error.message}`;
  }
}

/** Browsers stop the frames of a video that is nowhere in the page; this one lies unseen under the result. */
function player(into) {
  const video = document.createElement("video");
  Object.assign(video, { muted: true, playsInline: true, className: "player" });
  video.setAttribute("aria-hidden", "true");
  into.append(video);
  return video;
}

async function fitting(bitmap) {
  const scale = LARGEST_SIDE / Math.max(bitmap.width, bitmap.height);
  if (scale >= 1) return bitmap;
  const size = { resizeWidth: Math.round(bitmap.width * scale), resizeHeight: Math.round(bitmap.height * scale) };
  const smaller = await createImageBitmap(bitmap, { ...size, resizeQuality: "high" });
  bitmap.close();
  return smaller;
}
