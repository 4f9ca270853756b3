() => {
  // A click in the time line moves a video whose player may be scrolled away. Then the same player is shown small in
  // the bar that stays at the top of the screen while the time line is looked at. Its place in the page keeps its size.
  "use strict";
  const HIDDEN = 48; // pixels of the player that may still be seen when it is shown small
  const ROOM = 240; // pixels below the bar's top: with less of the time line in view nobody looks at it
  const WIDE = matchMedia("(min-width: 900px) and (min-height: 560px)"); // elsewhere it would cover what is looked at
  let away = ""; // the video that was sent away, until its player is seen again

  // The bar's top where the player is to be shown in it: as the bar stays, or before; not when the time line is left.
  const place = (block, bar, video) => {
    const { top } = bar.getBoundingClientRect(), isSeen = block.getBoundingClientRect().bottom >= HIDDEN;
    if (isSeen) away = "";
    if (isSeen || !WIDE.matches || !video || video.src === away || document.fullscreenElement) return null;
    return top > -1 && top < innerHeight - ROOM ? top : null;
  };

  const settle = () => {
    const root = document.documentElement, block = document.querySelector("#cm-video"), bar = document.querySelector("#cm-lead");
    const top = block && bar?.offsetParent ? place(block, bar, block.querySelector("video")) : null;
    if (top !== null) {
      root.style.setProperty("--cm-aside-top", `${top}px`);
      root.style.setProperty("--cm-aside-right", `${root.clientWidth - bar.getBoundingClientRect().right}px`);
    }
    if (root.hasAttribute("data-aside") === (top === null)) root.toggleAttribute("data-aside", top !== null);
  };

  let asked = false;
  const soon = () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => { asked = false; settle(); });
  };

  document.addEventListener("click", (event) => {
    if (!event.target.closest?.("#cm-aside-close")) return;
    away = document.querySelector("#cm-video video[src]")?.src ?? "";
    settle();
    document.querySelector("#cm-timeline .js-plotly-plot")?.focus({ preventScroll: true });
  });
  addEventListener("scroll", soon, { passive: true });
  addEventListener("resize", soon);
  setInterval(settle, 400); // what comes or goes above moves the time line, too
}
