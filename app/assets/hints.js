() => {
  // Explanations behind a few words (`behind` in app/telling/cards.py) are seen by the style sheet alone. Here they come to
  // stand below their words, within the card, and Escape shuts them until the words are left.
  "use strict";
  const HOW = ".cm-how";

  const place = (how) => {
    const told = how.querySelector(".cm-unseen"), card = told.offsetParent;
    if (!card) return;
    const left = how.getBoundingClientRect().left - card.getBoundingClientRect().left;
    told.style.left = `${Math.max(0, Math.min(left, card.clientWidth - told.offsetWidth))}px`;
  };

  const listen = (type, act) => document.addEventListener(type, (event) => {
    const how = event.target.closest?.(HOW);
    if (how && !how.contains(event.relatedTarget)) act(how);
  });
  for (const came of ["mouseover", "focusin"]) listen(came, place);
  for (const left of ["mouseout", "focusout"]) listen(left, (how) => how.removeAttribute("data-shut"));
  document.addEventListener("keydown", ({ key }) => {
    if (key !== "Escape") return;
    for (const how of document.querySelectorAll(`${HOW}:is(:hover, :focus)`)) how.setAttribute("data-shut", "");
  });
}
