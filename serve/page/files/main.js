// The page: its controls, and what may be put into it.

import { Backoff, sleep } from "./backoff.js";
import { Classes } from "./classes.js";
import { byId, element, isPressed, press } from "./element.js";
import { askForKey } from "./key.js";
import { Legend } from "./legend.js";
import { clearNotice, notice, say, tryingAgain } from "./notice.js";
import { Server, passes } from "./server.js";
import { Camera, Film, Still } from "./source.js";
import { Viewer } from "./viewer.js";

const SMOOTHING = 0.5;
const VIDEO = /\.(mp4|m4v|mov|webm|mkv|avi|mpe?g|ogv|ts)$/i;

const server = new Server(askForKey);
const classes = new Classes();
const places = { list: byId("legend"), columns: byId("columns"), all: byId("all") };
const legend = new Legend(places, classes, () => viewer.repaint());
const viewer = new Viewer(server, classes, legend);

/** The latest wish counts: a camera that is slow to start must not replace the picture dropped meanwhile. */
let wish = 0;

async function look(open) {
  const mine = ++wish;
  try {
    const source = await open();
    if (mine === wish) show(source);
    else source?.close();
  } catch (error) {
    if (mine === wish) {
      show(null);
      notice(error.message);
    }
  }
}

function show(source) {
  saving?.abort();
  viewer.look(source);
  if (source?.warning) notice(source.warning);
  const seen = Boolean(source?.live || source?.shown);
  byId("empty").hidden = seen;
  byId("panes").hidden = !seen;
  byId("tools").hidden = !seen && source?.kind !== "film";
  byId("transport").hidden = source?.kind !== "film" || !source.live;
  byId("smooth").hidden = !source?.live;
  byId("save-text").textContent = source?.kind === "film" ? "Save video" : "Save";
  const filming = press(byId("camera"), source?.kind === "camera");
  byId("camera").lastChild.textContent = filming ? " Stop" : " Camera";
}

function lookAt(file) {
  if (!file) return;
  const isVideo = file.type.startsWith("video/") || VIDEO.test(file.name ?? "");
  look(() => (isVideo ? film(file) : Still.open(file)));
}

async function film(file) {
  try {
    const source = await Film.open(file, byId("panes").parentElement);
    byId("seek").max = source.video.duration;
    source.listeners.add(() => { byId("seek").value = source.video.currentTime; });
    return source;
  } catch (error) {
    return { kind: "film", file, live: false, close() {}, warning: `${error.message} “Save video” has the server read it.` };
  }
}

function toggleCamera() {
  if (viewer.source?.kind === "camera") return look(async () => null);
  return look(() => Camera.open(byId("panes").parentElement, (reason) => {
    show(null);
    notice(reason);
  }));
}

function download(blob, name) {
  const link = element("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

let saving = null;

async function saveVideo() {
  if (saving) return saving.abort();
  saving = new AbortController();
  const { signal } = saving;
  const file = viewer.source.file;
  const progress = (bytes) => { byId("save-text").textContent = `${(bytes / 2 ** 20).toFixed(1)} MiB, cancel`; };
  progress(0);
  try {
    const video = await server.annotated(viewer.panes[0].name, file, progress, signal);
    download(video, `${stem(file.name)}-segmented.mp4`);
  } catch (error) {
    if (!signal.aborted) notice(error.message, { again: saveVideo });
  } finally {
    saving = null;
    byId("save-text").textContent = viewer.source?.kind === "film" ? "Save video" : "Save";
  }
  return undefined;
}

function savePicture() {
  const opacity = byId("opacity").value / 100;
  for (const pane of viewer.panes) {
    const name = viewer.panes.length > 1 ? `segmented-${pane.name}.png` : "segmented.png";
    pane.composed(opacity).toBlob((blob) => download(blob, `${stem(viewer.source.file?.name ?? "camera")}-${name}`));
  }
}

const stem = (name = "picture") => name.replace(/\.[^.]*$/, "");

function listen() {
  for (const id of ["open", "empty-open"]) byId(id).addEventListener("click", () => byId("file").click());
  for (const id of ["camera", "empty-camera"]) byId(id).addEventListener("click", toggleCamera);
  byId("file").addEventListener("change", ({ target }) => {
    lookAt(target.files[0]);
    target.value = "";
  });
  document.addEventListener("paste", ({ clipboardData }) => lookAt(clipboardData.files[0]));
  listenToDrops();
  listenToTools();
}

function listenToDrops() {
  const { body } = document;
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    body.classList.add("dropping");
  });
  document.addEventListener("dragleave", (event) => event.relatedTarget ?? body.classList.remove("dropping"));
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    body.classList.remove("dropping");
    lookAt(event.dataTransfer.files[0]);
  });
}

function listenToTools() {
  byId("opacity").addEventListener("input", setOpacity);
  byId("compare").addEventListener("click", ({ currentTarget }) => {
    byId("panes").classList.toggle("comparing", press(currentTarget, !isPressed(currentTarget)));
  });
  byId("panes").addEventListener("input", ({ target }) => {
    byId("panes").style.setProperty("--wipe", `${target.value}%`);
    for (const pane of viewer.panes) pane.wipe.value = target.value;
  });
  byId("smooth").addEventListener("click", ({ currentTarget }) => {
    viewer.smoothing = press(currentTarget, !isPressed(currentTarget)) ? SMOOTHING : 0;
    viewer.again();
  });
  byId("save").addEventListener("click", () => (viewer.source.kind === "film" ? saveVideo() : savePicture()));
  byId("play").addEventListener("click", () => {
    const { video } = viewer.source;
    if (video.paused) video.play();
    else video.pause();
    byId("play").setAttribute("aria-label", video.paused ? "Play" : "Pause");
  });
  byId("seek").addEventListener("input", ({ target }) => { viewer.source.video.currentTime = target.value; });
}

function setOpacity() {
  const { value } = byId("opacity");
  byId("opacity-value").textContent = `${value} %`;
  byId("panes").style.setProperty("--opacity", value / 100);
}

function offer(cards) {
  const chips = cards.map((card, index) => {
    const chip = element("button", { type: "button", className: "chip" }, card.name);
    press(chip, index === 0);
    chip.addEventListener("click", () => {
      press(chip, !isPressed(chip));
      if (!chips.some(isPressed)) return void press(chip, true);
      return viewer.through(cards.filter((_, other) => isPressed(chips[other])));
    });
    return chip;
  });
  byId("models").replaceChildren(...chips);
  byId("models-section").hidden = cards.length === 1;
  viewer.through(cards.slice(0, 1));
}

async function start() {
  for (const backoff = new Backoff(); ; await sleep(backoff.wait())) {
    try {
      offer(await server.cards());
      clearNotice("start");
      say("Ready.");
      return;
    } catch (error) {
      if (!passes(error)) return void notice(error.message, { from: "start", again: start });
      notice(tryingAgain(error.message), { from: "start" });
    }
  }
}

listen();
setOpacity();
await start();
