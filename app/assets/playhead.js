() => {
  // The playhead: a line over the pictures that follows the video; a click, an arrow key or a word seeks the video.
  // Of the server only a click asks (why here?). To who cannot see them the pictures are sliders of the video's time,
  // with what they show in their names.
  "use strict";
  const PICTURES = ["#cm-timeline", "#cm-coupling", "#cm-why", "#cm-switched", "#cm-compared"];
  const MAIN = "#cm-timeline"; // a click in it also asks why, a drag or "[" and "]" in it restrict the other pictures
  const ASKING = "#cm-timeline, #cm-why"; // Enter in these asks why
  const OTHER = "#cm-compared-other"; // of another clip, which no playhead goes through
  const STEP = 0.2; // seconds an arrow key moves: one tick of the analysis
  const film = () => document.querySelector("#cm-video video[src]");
  const pictures = () => PICTURES.map((id) => document.querySelector(`${id} .js-plotly-plot`)).filter((p) => p?._fullLayout);

  const play = (video) => video.play().catch(() => {}); // another video may come before this one has begun
  const seek = (seconds) => {
    const video = film();
    if (video && Number.isFinite(seconds)) video.currentTime = Math.min(Math.max(0, seconds), video.duration || seconds);
  };

  const secondsAt = (picture, event) => {
    const axis = picture._fullLayout.xaxis;
    return axis.p2l(event.clientX - picture.getBoundingClientRect().left - axis._offset);
  };

  const told = (picture) => document.querySelector("#cm-told")?.getAttribute(`data-${picture.closest("[id^=cm-]").id}`) ?? "";
  // As attributes: Firefox before 119 knows no properties of these names.
  const put = (element, name, text) => { if (element.getAttribute(name) !== text) element.setAttribute(name, text); };
  const press = (button) => document.querySelector(button)?.click();

  // "[" and "]" put the window's start and end at the playhead, "+" goes closer to it, Escape shows all again. The
  // buttons below the time line do the same for who has no keys and cannot drag.
  const restrict = (picture, key) => {
    const axis = picture._fullLayout.xaxis, [start, end] = axis.range.map(Number), last = axis.maxallowed;
    const now = film()?.currentTime ?? 0;
    const near = (end - start) / 4;
    const range = {
      "[": [now, now < end ? end : last], "]": [now > start ? start : 0, now], Escape: [0, last],
      "+": [Math.max(0, now - near), Math.min(last, now + near)],
    }[key];
    if (range && range[1] - range[0] > STEP) window.Plotly?.relayout(picture, { "xaxis.range": range });
  };

  // Where a key takes the video: by a step, by a tenth of the window, or to one of its ends.
  const aim = (picture, { key, shiftKey }, now) => {
    const [start, end] = picture._fullLayout.xaxis.range.map(Number), far = (end - start) / 10, step = STEP * (shiftKey ? 5 : 1);
    return {
      ArrowLeft: now - step, ArrowRight: now + step, PageDown: now - far, PageUp: now + far, Home: start, End: end,
    }[key];
  };

  const onKey = (event) => {
    const video = film(), picture = event.currentTarget;
    if (picture.closest(MAIN) && !event.metaKey) restrict(picture, event.key); // "[" may need AltGr
    if (event.ctrlKey || event.metaKey || event.altKey) return; // the browser's own, such as going back
    if (event.key === "Enter" && picture.closest(ASKING)) press("#cm-explain");
    const place = video ? aim(picture, event, video.currentTime) : undefined;
    if (!video || (place === undefined && event.key !== " ")) return;
    event.preventDefault();
    if (place !== undefined) seek(place);
    else if (video.paused) play(video);
    else video.pause();
  };

  const prepare = (picture) => {
    const line = document.createElement("div");
    line.className = "cm-playhead";
    line.setAttribute("aria-hidden", "true");
    picture.append(line);
    picture.tabIndex = 0;
    picture.setAttribute("role", "slider");
    picture.addEventListener("keydown", onKey);
    const main = Boolean(picture.closest(MAIN));
    picture.on("plotly_click", ({ event }) => {
      if (event.button || event.detail > 1) return; // a menu is opened, or the second click of two shows all again
      picture.focus({ preventScroll: true }); // which plotly keeps the browser from: its keys work from now on
      seek(secondsAt(picture, event));
      if (main) press("#cm-explain");
    });
    return line;
  };

  // What a slider of time is asked for. Not while it plays: nobody wants to hear every tenth of a second.
  const clock = (seconds) => `${Math.floor(seconds / 60)}:${(seconds % 60).toFixed(1).padStart(4, "0")}`;
  const reading = (picture) => {
    const lines = picture.closest(MAIN) ? document.querySelectorAll("#cm-reading:not([hidden]) [data-line]") : [];
    return [...lines].map((line) => line.textContent.trim());
  };
  const tell = (picture, video) => {
    put(picture, "aria-label", told(picture));
    const now = (video?.currentTime ?? 0).toFixed(1), text = [clock(now), ...reading(picture)].join(", ");
    const known = picture.getAttribute("aria-valuetext");
    if (known && (known === text || !video?.paused)) return;
    put(picture, "aria-valuemin", "0");
    put(picture, "aria-valuemax", (picture._fullLayout.xaxis.maxallowed ?? video?.duration ?? 0).toFixed(1));
    put(picture, "aria-valuenow", now);
    put(picture, "aria-valuetext", text);
  };

  const follow = () => {
    const video = film();
    for (const picture of pictures()) {
      const line = picture.querySelector(":scope > .cm-playhead") ?? prepare(picture);
      tell(picture, video);
      const axis = picture._fullLayout.xaxis;
      const place = video ? axis.l2p(video.currentTime) : -1;
      line.hidden = !(place >= 0 && place <= axis._length);
      line.style.transform = `translateX(${axis._offset + place}px)`;
    }
    const other = document.querySelector(`${OTHER} .js-plotly-plot`);
    if (other) [["role", "img"], ["aria-label", told(other)]].forEach(([name, text]) => put(other, name, text));
  };

  document.addEventListener("click", (event) => {
    const key = event.target.closest?.("#cm-window button")?.dataset.key;
    const picture = key && document.querySelector(`${MAIN} .js-plotly-plot`);
    if (picture?._fullLayout) restrict(picture, key);
  });
  document.addEventListener("click", (event) => {
    const start = event.target.closest?.(".cm-word")?.dataset.start;
    if (start === undefined) return;
    seek(Number(start));
    if (film()) play(film());
  });
  document.addEventListener("cm-frame", follow);
}
