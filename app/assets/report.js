() => {
  // In a saved report there is no video: the states' points go where the time line is pointed at.
  "use strict";
  const canvas = document.querySelector("#cm-space");
  const picture = document.querySelector("#cm-timeline .js-plotly-plot");
  if (!canvas || !picture?.on) return;
  picture.on("plotly_hover", (event) => {
    const seconds = Number(event.xvals?.[0] ?? event.points?.[0]?.x);
    if (Number.isFinite(seconds)) canvas.dataset.seconds = seconds;
  });
}
