() => {
  // For who does not see or does not point: what changes is said, words are reached by keys, and two faults of gradio's.
  "use strict";
  const EVERY = 1000; // ms: a stage of an analysis may last a tenth of that, and nobody can be told so much
  const KEPT = 3; // sentences that stand in the status line
  const said = new Map(); // what each part of the page said last, by its id

  // Where a card is unlike the one before, gradio puts new elements in, and a live region that is new is not read out.
  // So what cards have to say is in `data-said` (empty: their own text) and goes into one line that stays.
  const say = () => {
    const line = document.querySelector("#cm-status");
    if (!line) return;
    const parts = new Map([...document.querySelectorAll("[data-said]")].map((part) => [part.closest("[id]")?.id ?? "", part]));
    for (const id of said.keys()) if (!parts.has(id)) said.delete(id); // it is said again when it comes again
    for (const [id, part] of parts) {
      const text = part.dataset.said || part.innerText;
      if (!text || said.get(id) === text) continue;
      said.set(id, text);
      line.append(Object.assign(document.createElement("p"), { textContent: text }));
      while (line.children.length > KEPT) line.firstChild.remove();
    }
  };

  // The button that adds files holds another one: only the inner one does something, and only its name is a name.
  const unnest = () => {
    const found = document.querySelectorAll("#cm-several-files .icon-button:not([role])");
    const outer = [...found].find((button) => button.querySelector("button")); // older browsers do not know :has()
    if (!outer) return;
    outer.setAttribute("role", "group");
    outer.tabIndex = -1;
    outer.setAttribute("aria-label", outer.querySelector("button").getAttribute("aria-label"));
    outer.removeAttribute("title");
  };

  // gradio's buttons take no explanation.
  const hint = () => {
    for (const { name, value } of document.querySelector("#cm-hints")?.attributes ?? []) {
      const button = name.startsWith("data-") && document.getElementById(name.slice(5));
      if (button && button.title !== value) button.title = value;
    }
  };

  // The transcript is one stop of the tab key, and arrows go from word to word: thousands of stops would be a wall.
  const current = (words) => {
    const now = document.querySelector("#cm-video video[src]")?.currentTime ?? 0;
    const next = words.findIndex((word) => Number(word.dataset.start) > now);
    return Math.max(0, (next < 0 ? words.length : next) - 1);
  };

  const aim = (words, at, key) => {
    const lines = [...new Set(words.map((word) => word.parentElement))];
    const line = (way) => lines[lines.indexOf(words[at].parentElement) + way]?.querySelector(".cm-word");
    switch (key) {
      case "ArrowRight": return words[at + 1];
      case "ArrowLeft": return words[at - 1];
      case "ArrowDown": return line(1);
      case "ArrowUp": return line(-1);
      case "Home": return words[0];
      case "End": return words[words.length - 1];
      default: return undefined;
    }
  };

  const go = (card, event) => {
    const words = [...card.querySelectorAll(".cm-word")];
    const at = words.indexOf(document.activeElement);
    if (event.key === "Enter" || event.key === " ") {
      if (at < 0) return;
      event.preventDefault();
      words[at].click();
      return;
    }
    if (!words.length || !/^(Arrow\w+|Home|End)$/.test(event.key)) return;
    event.preventDefault();
    const word = at < 0 ? words[current(words)] : aim(words, at, event.key);
    if (!word) return;
    words[at]?.removeAttribute("role");
    words[at]?.removeAttribute("tabindex");
    word.setAttribute("role", "button");
    word.tabIndex = -1;
    word.focus();
  };

  // Any key, the tab key too, would start or stop gradio's player at its button; and a space would scroll.
  const PLAYS = '#cm-video [aria-label="play-pause-replay-button"]';
  document.addEventListener("keydown", (event) => {
    if (!event.target.closest?.(PLAYS)) return;
    if (event.key === " ") event.preventDefault();
    if (event.key !== "Enter" && event.key !== " ") event.stopPropagation();
  }, true);

  document.addEventListener("keydown", (event) => {
    const card = event.target.closest?.(".cm-transcript");
    if (card && !event.ctrlKey && !event.metaKey && !event.altKey) go(card, event);
  });
  setInterval(() => { say(); unnest(); hint(); }, EVERY);
}
