() => {
  // What gradio's player lacks: its time where it is always seen, other speeds, and playing a stretch again and again:
  // the one that the time line shows, else the whole video.
  "use strict";
  const LEAST = 0.3, NEAR = 0.03; // seconds: a shorter stretch would only stutter; nearer to an end a frame may pass it
  let rate = 1, loops = false; // of whatever video is there

  const clock = (seconds) => {
    if (!Number.isFinite(seconds)) return "–"; // some recordings do not say how long they are
    const tenths = Math.round(10 * seconds);
    return `${Math.floor(tenths / 600)}:${((tenths % 600) / 10).toFixed(1).padStart(4, "0")}`;
  };

  const stretch = (video) => {
    const shown = document.querySelector("#cm-timeline .js-plotly-plot")?._fullLayout?.xaxis?.range?.map(Number);
    const [start, end] = shown ?? [0, video.duration];
    return end - start >= LEAST ? [Math.max(0, start), Math.min(end, video.duration)] : [0, video.duration];
  };

  const again = (video) => {
    const [start, end] = stretch(video), { ended, paused } = video;
    if (!ended && (paused || video.currentTime < end - NEAR)) return;
    video.currentTime = start;
    if (ended) video.play().catch(() => {}); // a browser may not let it play without a press
  };

  const show = (row, video) => {
    const told = `${clock(video.currentTime)} / ${clock(video.duration)}`;
    const time = row.querySelector("time");
    if (time.textContent !== told) time.textContent = told;
    for (const button of row.querySelectorAll("[data-rate], [data-again]")) {
      const pressed = String(button.dataset.rate ? Number(button.dataset.rate) === rate : loops);
      if (button.getAttribute("aria-pressed") !== pressed) button.setAttribute("aria-pressed", pressed);
    }
  };

  const follow = () => {
    const row = document.querySelector("#cm-film"), video = document.querySelector("#cm-video video[src]");
    if (row && row.hidden === Boolean(video)) row.hidden = !video;
    if (row && video) {
      if (video.playbackRate !== rate) video.playbackRate = rate; // another video begins with its own
      if (loops && video.duration) again(video);
      show(row, video);
    }
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("#cm-film :is([data-rate], [data-again])");
    if (!button) return;
    if (button.dataset.rate) rate = Number(button.dataset.rate);
    else loops = !loops;
  });
  document.addEventListener("cm-frame", follow);
}
