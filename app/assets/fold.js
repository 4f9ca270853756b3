() => {
  // The coupling over time is folded away until it is asked for. It stays in the page, where its tables go on following
  // the time line's window; its picture, drawn without any width, is drawn to its true one when it is unfolded.
  "use strict";
  let open = false;
  const tell = () => {
    const button = document.querySelector("#cm-unfold"), part = document.querySelector("#cm-folded");
    if (!button || !part) return;
    button.setAttribute("aria-controls", "cm-folded");
    button.setAttribute("aria-expanded", open);
    if (part.hasAttribute("data-open") !== open) part.toggleAttribute("data-open", open);
    else return;
    for (const picture of part.querySelectorAll(".js-plotly-plot")) window.Plotly?.Plots.resize(picture);
  };

  document.addEventListener("click", (event) => {
    if (!event.target.closest?.("#cm-unfold")) return;
    open = !open;
    tell();
  });
  setInterval(tell, 400); // gradio puts both in anew with another analysis
}
