() => {
  // What gradio's player lacks: its time where it is always seen, other speeds, and playing a stretch again and again:
  // the one that the time line shows, else the whole video.
  "use strict";
  const LEAST = 0.3, NEAR = 0.03; // seconds: a shorter stretch would only stutter; nearer to an end a frame may pass it
  const FILM = "#cm-video video[src]";
  let rate = 1, loops = false; // of whatever video is there
  let plays = false; // or did until it ended

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
    if (!loops || !plays || !video.duration) return;
    const [start, end] = stretch(video), { ended } = video;
    if (!ended && video.currentTime < end - NEAR) return;
    video.currentTime = start;
    if (ended) video.play().catch(() => {}); // a browser may not let it play without a press
  };

  // What played on to its end is played again, and not what stands there. In a tab that is not looked at frames are not
  // drawn, and the video alone says how far it is.
  const heard = ({ type, target: video }) => {
    if (!video.matches?.(FILM)) return;
    if (type === "playing") plays = true;
    else if (type === "pause") plays &&= video.ended;
    else again(video);
    if (type === "ended") plays &&= loops;
  };

  const show = (row, video) => {
    const told = `${clock(video.currentTime)} / ${clock(video.duration)}`;
    const time = row.querySelector("time");
    if (time.textContent !== told) time.textContent = told;
    const speed = row.querySelector("[data-rate]"), button = row.querySelector("[data-again]"), pressed = String(loops);
    if (speed.value !== String(rate)) speed.value = rate;
    if (button.getAttribute("aria-pressed") !== pressed) button.setAttribute("aria-pressed", pressed);
  };

  const follow = () => {
    const row = document.querySelector("#cm-film"), video = document.querySelector(FILM);
    if (row && row.hidden === Boolean(video)) row.hidden = !video;
    if (row && video) {
      if (video.playbackRate !== rate) video.playbackRate = rate; // another video begins with its own
      again(video);
      show(row, video);
    }
  };

  for (const type of ["playing", "pause", "timeupdate", "ended"]) document.addEventListener(type, heard, true);
  document.addEventListener("change", ({ target }) => {
    if (target.matches?.("#cm-film [data-rate]")) rate = Number(target.value);
  });
  document.addEventListener("click", (event) => {
    if (event.target.closest?.("#cm-film [data-again]")) loops = !loops;
  });
  document.addEventListener("cm-frame", follow);
}
