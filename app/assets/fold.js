() => {
  // The coupling over time is folded away until it is asked for. It stays in the page, where its tables go on following
  // the time line's window; its picture, drawn without any width, is drawn to its true one when it is unfolded.
  "use strict";
  const part = () => document.querySelector("#cm-folded");
  const tell = () => {
    const button = document.querySelector("#cm-unfold");
    if (!button || !part()) return;
    button.setAttribute("aria-controls", "cm-folded");
    button.setAttribute("aria-expanded", "open" in part().dataset);
  };

  document.addEventListener("click", (event) => {
    if (!event.target.closest?.("#cm-unfold") || !part()) return;
    part().toggleAttribute("data-open");
    tell();
    for (const picture of part().querySelectorAll(".js-plotly-plot")) window.Plotly?.Plots.resize(picture);
  });
  setInterval(tell, 400); // gradio puts both in anew with another clip
}
