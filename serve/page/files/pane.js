// One model's view of the picture: the picture, the class map over it, the wipe, and the name under the pointer.

import { element } from "./element.js";

const STEP = 0.02; // of a side, with an arrow key

export class Pane {
  ids = null;
  #at = null;

  constructor(card, classes, say) {
    Object.assign(this, { card, classes, say, name: card.name, names: card.manifest.classes });
    this.picture = element("canvas", { className: "picture", width: 1, height: 1 });
    this.mask = element("canvas", { className: "mask", width: 1, height: 1 });
    this.wipe = element("input", { type: "range", className: "wipe", min: 0, max: 100, step: "any", value: 50 });
    this.wipe.setAttribute("aria-label", "Before and after");
    this.probe = element("span", { className: "probe", hidden: true });
    this.title = element("figcaption", {}, card.name);
    this.view = element(
      "div", { className: "view", tabIndex: 0, aria: { label: "", roledescription: "segmented picture" } },
      this.picture, this.mask, element("span", { className: "line" }), this.wipe, this.probe,
    );
    this.view.setAttribute("role", "application");
    this.element = element("figure", { className: "pane", data: { model: card.name } }, this.view, this.title);
    this.#listen();
  }

  /** Show a picture, any drawable, under the class map. */
  show(drawable, width = drawable.width, height = drawable.height) {
    if (this.picture.width !== width || this.picture.height !== height) {
      Object.assign(this.picture, { width, height });
      this.element.style.setProperty("--aspect", width / height);
    }
    this.picture.getContext("2d", { alpha: false }).drawImage(drawable, 0, 0);
  }

  /** Show a class map; it may be of any size. */
  segmented({ ids, height, width }) {
    Object.assign(this, { ids });
    if (this.mask.width !== width || this.mask.height !== height) Object.assign(this.mask, { width, height });
    this.paint();
    this.#name();
  }

  paint() {
    if (!this.ids) return;
    const context = this.mask.getContext("2d");
    const image = context.createImageData(this.mask.width, this.mask.height);
    const pixels = new Uint32Array(image.data.buffer);
    const table = this.classes.table(this.names);
    for (let index = 0; index < pixels.length; index++) pixels[index] = table[this.ids[index]];
    context.putImageData(image, 0, 0);
  }

  clear() {
    this.ids = null;
    this.mask.getContext("2d").clearRect(0, 0, this.mask.width, this.mask.height);
    this.#point(null);
  }

  /** In words, for who does not see it: the largest classes. */
  describe(text) {
    this.view.setAttribute("aria-label", `${this.name}. ${text} Arrow keys name the class at a point.`);
  }

  /** The picture with what is seen over it, as a canvas of the picture's size. */
  composed(opacity) {
    const canvas = element("canvas", { width: this.picture.width, height: this.picture.height });
    const context = canvas.getContext("2d");
    context.drawImage(this.picture, 0, 0);
    context.globalAlpha = opacity;
    context.imageSmoothingEnabled = false;
    context.drawImage(this.mask, 0, 0, canvas.width, canvas.height);
    return canvas;
  }

  #listen() {
    const { view } = this;
    const follow = (event) => {
      const box = view.getBoundingClientRect();
      this.#point([(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height]);
    };
    view.addEventListener("pointermove", follow);
    view.addEventListener("pointerdown", follow);
    view.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && this.#point(null));
    view.addEventListener("blur", () => this.#point(null));
    view.addEventListener("keydown", (event) => {
      if (event.target === view) this.#step(event);
    });
  }

  #step(event) {
    const move = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (event.key === "Escape") this.#point(null);
    if (!move) return;
    event.preventDefault();
    const [x, y] = this.#at ?? [0.5, 0.5];
    const step = this.#at ? STEP * (event.shiftKey ? 5 : 1) : 0;
    this.#point([x + step * move[0], y + step * move[1]].map((side) => Math.min(Math.max(side, 0), 0.999)));
    if (!this.probe.hidden) this.say(this.probe.textContent);
  }

  #point(at) {
    this.#at = at;
    this.#name();
  }

  #name() {
    const inside = this.#at?.every((side) => side >= 0 && side < 1);
    this.probe.hidden = !this.ids || !inside;
    if (this.probe.hidden) return;
    const [x, y] = this.#at;
    const id = this.ids[Math.floor(y * this.mask.height) * this.mask.width + Math.floor(x * this.mask.width)];
    const name = this.names[id] ?? "no class";
    this.probe.textContent = name;
    this.probe.dataset.side = x > 0.7 ? "left" : "right";
    const [red, green, blue] = this.classes.colours.get(name) ?? [0, 0, 0];
    this.probe.style.setProperty("--colour", `rgb(${red} ${green} ${blue})`);
    this.probe.style.setProperty("--x", `${100 * x}%`);
    this.probe.style.setProperty("--y", `${100 * y}%`);
  }
}
