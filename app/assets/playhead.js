() => {
  // The playhead: a line over the pictures that follows the video; a click, an arrow key or a word seeks the video.
  // Playing and stepping ask nothing of the server; only a click (why here?) and a new window do.
  "use strict";
  const PICTURES = ["#cm-timeline", "#cm-coupling", "#cm-why", "#cm-switched", "#cm-compared"];
  const MAIN = "#cm-timeline"; // a click in it also asks why, a drag in it restricts the other pictures
  const STEP = 0.2; // seconds an arrow key moves: one tick of the analysis
  const film = () => document.querySelector("#cm-video video");
  const pictures = () => PICTURES.map((id) => document.querySelector(`${id} .js-plotly-plot`)).filter((p) => p?._fullLayout);

  const seek = (seconds) => {
    const video = film();
    if (video && Number.isFinite(seconds)) video.currentTime = Math.min(Math.max(0, seconds), video.duration || seconds);
  };

  const secondsAt = (picture, event) => {
    const axis = picture._fullLayout.xaxis;
    return axis.p2l(event.clientX - picture.getBoundingClientRect().left - axis._offset);
  };

  const told = () => document.querySelector("#cm-told")?.dataset.picture ?? "";
  const press = (button) => document.querySelector(button)?.click();
  const later = { window: 0 };
  const onWindow = (change) => {
    if (!Object.keys(change).some((key) => key.startsWith("xaxis"))) return;
    clearTimeout(later.window);
    later.window = setTimeout(() => press("#cm-window"), 200);
  };

  const onKey = (event) => {
    const video = film();
    if (event.key === "Enter") press("#cm-explain");
    const way = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!video || (way === undefined && event.key !== " ")) return;
    event.preventDefault();
    if (way !== undefined) seek(video.currentTime + way * STEP * (event.shiftKey ? 5 : 1));
    else if (video.paused) video.play();
    else video.pause();
  };

  const prepare = (picture) => {
    const line = document.createElement("div");
    line.className = "cm-playhead";
    line.setAttribute("aria-hidden", "true");
    picture.append(line);
    picture.tabIndex = 0;
    picture.setAttribute("role", "group");
    picture.addEventListener("keydown", onKey);
    const main = Boolean(picture.closest(MAIN));
    picture.on("plotly_click", (click) => {
      seek(secondsAt(picture, click.event));
      if (main) press("#cm-explain");
    });
    if (main) picture.on("plotly_relayout", onWindow);
    return line;
  };

  const follow = () => {
    const video = film();
    for (const picture of pictures()) {
      const line = picture.querySelector(":scope > .cm-playhead") ?? prepare(picture);
      if (picture.ariaLabel !== told()) picture.ariaLabel = told();
      const axis = picture._fullLayout.xaxis;
      const place = video ? axis.l2p(video.currentTime) : -1;
      line.hidden = !(place >= 0 && place <= axis._length);
      line.style.transform = `translateX(${axis._offset + place}px)`;
    }
    requestAnimationFrame(follow);
  };

  document.addEventListener("click", (event) => {
    const start = event.target.closest?.(".cm-word")?.dataset.start;
    if (start !== undefined) seek(Number(start));
  });
  follow();
}
