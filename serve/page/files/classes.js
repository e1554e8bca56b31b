// The classes of all models by name, which of them are seen, and their colours.

const DIMMED = 40; // opacity of 255 of the others, while one class is pointed at

export class Classes {
  /** Name -> [red, green, blue]. A class has one colour, that of the first model which knows it. */
  colours = new Map();
  hidden = new Set();
  pointed = null;

  /** @param cards of the models that are looked at */
  take(cards) {
    this.colours = new Map();
    for (const { manifest } of cards) {
      manifest.classes.forEach((name, id) => {
        if (!this.colours.has(name)) this.colours.set(name, manifest.palette[id]);
      });
    }
  }

  toggle(name, seen) {
    if (seen) this.hidden.delete(name);
    else this.hidden.add(name);
  }

  toggleAll(seen) {
    for (const name of this.colours.keys()) this.toggle(name, seen);
  }

  get allHidden() {
    return [...this.colours.keys()].every((name) => this.hidden.has(name));
  }

  /** RGBA of each class id, 256 of them; hidden classes and ids without a class are transparent. */
  table(names) {
    const table = new Uint8ClampedArray(4 * 256);
    names.forEach((name, id) => {
      if (this.hidden.has(name)) return;
      table.set(this.colours.get(name), 4 * id);
      table[4 * id + 3] = this.pointed === null || this.pointed === name ? 255 : DIMMED;
    });
    return new Uint32Array(table.buffer);
  }
}

/** The share of each class, 0 to 1, by name, of all pixels. */
export function shares(ids, names) {
  const counts = new Uint32Array(256);
  for (let index = 0; index < ids.length; index++) counts[ids[index]]++;
  return new Map(names.map((name, id) => [name, counts[id] / ids.length]));
}
