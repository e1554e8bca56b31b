// Binary messages of `/segment/live`: header length, JSON header, run lengths, class ids.

/** A frame's answer: the header, with `ids` as one byte a pixel, row by row. */
export function readAnswer(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  const lengths = new Uint32Array(buffer, 4 + length, header.runs);
  const classes = new Uint8Array(buffer, 4 + length + 4 * header.runs, header.runs);
  return { ...header, ids: spread(lengths, classes, header.height * header.width) };
}

function spread(lengths, classes, pixels) {
  const ids = new Uint8Array(pixels);
  let start = 0;
  for (let run = 0; run < lengths.length; run++) {
    ids.fill(classes[run], start, start += lengths[run]);
  }
  return ids;
}
