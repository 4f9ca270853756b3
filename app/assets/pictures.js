() => {
  // gradio draws a picture anew in another element, and the old one stays in memory with all of its data: plotly listens
  // for the window's size with it. So pictures that are no longer in the page are given back.
  "use strict";
  const known = new Set();
  document.addEventListener("cm-frame", () => {
    for (const picture of document.querySelectorAll(".js-plotly-plot")) known.add(picture);
    for (const picture of known) {
      if (picture.isConnected) continue;
      known.delete(picture);
      window.Plotly?.purge(picture);
    }
  });
}
