() => {
  // Where somebody is stays where it is when parts of the page are taken away and put in anew: a picture that is drawn
  // again, or all of the cards while a corrected word is read. The keyboard goes to the same place in what came, and that
  // stands where it stood on the screen.
  "use strict";
  const INNER = "a[href], button, input, summary, textarea, [tabindex]";
  const STILL = 4000; // ms in which what comes above it may still move it
  const ELSE = { "cm-cancel": "cm-analyse", "cm-compare-stop": "cm-compare", "cm-several-stop": "cm-several-analyse" };
  let held = null; // the element, what it is in, which of that it is, and how far down the screen
  let steady = 0; // until when it is held there

  const isThere = (element) => element.isConnected && element.getClientRects().length > 0;
  const within = (place) => [place, ...place.querySelectorAll(INNER)];

  const take = (element) => {
    const place = element.closest("[id^=cm-]");
    held = place && { element, place, at: within(place).indexOf(element), top: element.getBoundingClientRect().top };
  };

  // The same in what came. A button that ends something is gone with that: then the one beside it, which begins it.
  const found = ({ place, at }) => {
    const begins = document.getElementById(ELSE[place.id]), came = document.getElementById(place.id);
    const element = begins ?? (came && within(came)[at]);
    return element && !element.disabled && isThere(element) ? element : null;
  };

  const bringBack = () => {
    const { top } = held, element = found(held);
    element?.focus({ preventScroll: true });
    if (!element || document.activeElement !== element) return;
    take(element);
    held.top = top;
    steady = performance.now() + STILL;
  };

  // Of what gradio's own parts put in and take away, such as the cells of a table, gradio knows better.
  const isOver = ({ element, place }) => isThere(element) || (place.isConnected && !element.matches(".js-plotly-plot"));

  const follow = () => {
    const active = document.activeElement;
    if (active && active !== document.body) {
      if (held?.element === active && performance.now() < steady) scrollBy(0, active.getBoundingClientRect().top - held.top);
      else take(active);
    } else if (held && isOver(held)) held = null;
    else if (held) bringBack();
  };

  const leave = () => { steady = 0; };
  for (const sign of ["wheel", "touchmove", "keydown"]) addEventListener(sign, leave, { capture: true, passive: true });
  addEventListener("pointerdown", () => { [steady, held] = [0, null]; }, { capture: true, passive: true });
  document.addEventListener("cm-frame", follow);
}
