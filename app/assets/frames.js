() => {
  // One clock for all that follows the video and the time line: "cm-frame", as often as the screen is drawn while the
  // video plays or somebody is at the page, and four times a second otherwise, as before anything is analysed.
  "use strict";
  const LIVELY = 5000; // ms for which somebody who did something is at the page
  const REST = 250; // ms
  const SIGNS = ["pointerdown", "pointermove", "keydown", "wheel", "resize", "play", "seeking", "loadeddata"];
  let until = 0, resting = 0;

  const isPlaying = () => document.querySelector("#cm-video video[src]")?.paused === false;
  const isShown = () => Boolean(document.querySelector(".js-plotly-plot, #cm-space"));

  const beat = () => {
    document.dispatchEvent(new Event("cm-frame"));
    if (isShown() && (performance.now() < until || isPlaying())) requestAnimationFrame(beat);
    else resting = setTimeout(rested, REST);
  };

  const rested = () => {
    clearTimeout(resting);
    resting = 0;
    requestAnimationFrame(beat);
  };

  const wake = () => {
    until = performance.now() + LIVELY;
    if (resting && isShown()) rested();
  };

  for (const sign of SIGNS) addEventListener(sign, wake, { capture: true, passive: true }); // a video's do not bubble
  beat();
}
