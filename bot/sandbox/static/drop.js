// Pictures dragged onto a pane: the pane shows that it will take them, and hands them on when they are let go.

/** The pictures in what was pasted or dropped. */
export const imagesIn = (transfer) => [...(transfer?.files ?? [])].filter((file) => file.type.startsWith("image/"));

/** `onImages(files)` is called for what is dropped on `node`, which has the class "dropping" while something hovers. */
export function takeDrops(node, onImages) {
  let depth = 0;      // each child entered and left counts
  const mark = (change) => {
    depth = Math.max(0, depth + change);
    node.classList.toggle("dropping", depth > 0);
  };
  const on = (kind, act) => node.addEventListener(kind, (event) => {
    if (event.dataTransfer?.types.includes("Files")) act(event);
  });
  on("dragenter", (event) => { event.preventDefault(); mark(1); });
  on("dragover", (event) => event.preventDefault());
  on("dragleave", () => mark(-1));
  on("drop", (event) => {
    event.preventDefault();
    mark(-Infinity);
    onImages(imagesIn(event.dataTransfer));
  });
}
