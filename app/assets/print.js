() => {
  // A browser prints what it shows: pictures as wide as the screen, light letters of the dark on white paper. So for as
  // long as it prints, pictures are as wide as their place on a sheet, and all is light.
  "use strict";
  const SHEET = 700; // pixels of a sheet of A4 or Letter between its margins
  const INSIDE = 2 * 27, PAGES = 2 * 28; // of these the sides of a card, and what gradio leaves around the cards
  const dark = () => [document.documentElement, document.body].filter((part) => part.classList.contains("dark"));
  const pictures = () => [...document.querySelectorAll(".js-plotly-plot")].filter((picture) => picture._fullLayout);
  let were = null;

  const draw = (width) => {
    for (const picture of pictures()) window.Plotly.relayout(picture, width ? { width } : { width: null, autosize: true });
    document.dispatchEvent(new Event("cm-frame")); // what stands over them goes with them
  };
  addEventListener("beforeprint", () => {
    if (were || !window.Plotly) return;
    were = dark();
    were.forEach((part) => part.classList.remove("dark"));
    const around = INSIDE + (document.querySelector(".gradio-container") ? PAGES : 0);
    draw(Math.min(SHEET, document.documentElement.clientWidth) - around);
  });
  addEventListener("afterprint", () => {
    were?.forEach((part) => part.classList.add("dark"));
    if (were) draw(null);
    were = null;
  });
}
