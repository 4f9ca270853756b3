() => {
  // What somebody unfolded, a table for one, stays so when an answer or another language is put in its place.
  "use strict";
  const open = new Set(); // by the id it is in, and which of what is folded there it is
  const nameOf = (part) => {
    const place = part.closest("[id^=cm-]"); // gradio's own ids are others each time
    return place && `${place.id} ${[...place.querySelectorAll("details")].indexOf(part)}`;
  };

  // Before the browser unfolds it, or folds it away.
  document.addEventListener("click", (event) => {
    const part = event.target.closest?.("summary")?.parentElement;
    if (part && nameOf(part)) open[part.open ? "delete" : "add"](nameOf(part));
  });
  document.addEventListener("cm-frame", () => {
    if (!open.size) return;
    for (const part of document.querySelectorAll("details:not([open])")) if (open.has(nameOf(part))) part.open = true;
  });
}
