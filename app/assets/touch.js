() => {
  // A finger that moves over a picture scrolls, as it does everywhere else. Plotly would keep every touch to itself, to
  // choose a window with it; so it hears of none, and of a tap as the mouse's click that browsers make of it.
  "use strict";
  const keep = (event) => {
    if (event.target.closest?.(".js-plotly-plot")) event.stopPropagation();
  };
  addEventListener("touchstart", keep, { capture: true, passive: true });
}
