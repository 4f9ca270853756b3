() => {
  // What is read at the playhead: a line above the time line, and the time on the playhead itself. Every tick's numbers
  // came with the picture, so nothing is asked of the server, and a page that stands still is not touched.
  "use strict";
  const NOTHING = -128; // as in app/figures/reading.py
  const HALF = 26; // pixels of half the playhead's time, which is not cut off at the end of the axis

  const clock = (seconds) => {
    const tenths = Math.round(10 * seconds);
    return `${Math.floor(tenths / 600)}:${((tenths % 600) / 10).toFixed(1).padStart(4, "0")}`;
  };
  const signed = (tenths) => {
    if (tenths === undefined || tenths === NOTHING) return "–";
    return `${tenths < 0 ? "−" : tenths > 0 ? "+" : ""}${(Math.abs(tenths) / 10).toFixed(1)}`;
  };

  const read = ({ first, step, lines }) => {
    const bytes = (text) => Int8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    return { first, step, lines: Object.fromEntries(Object.entries(lines).map(([name, text]) => [name, bytes(text)])) };
  };

  const put = (element, text) => { if (element.textContent !== text) element.textContent = text; };

  // `shown` is what the line says already: of sixty frames a second two or three change it. In another language the
  // line comes empty.
  let sent = null, known = null, shown = "";
  const tell = (line, picture, time) => {
    const now = picture.layout.meta?.readings;
    if (now !== sent) [sent, known, shown] = [now, now && read(now), ""];
    if (!known) return;
    const length = known.lines.all.length;
    const tick = Math.min(length - 1, Math.max(0, Math.floor((time - known.first) / known.step + 1e-6)));
    const look = `${Math.round(10 * time)} ${tick}`, when = line.querySelector("time");
    if (look === shown && when.textContent) return;
    shown = look;
    put(when, clock(time));
    for (const told of line.querySelectorAll("[data-line]")) {
      const text = signed(known.lines[told.dataset.line]?.[tick]);
      put(told.lastElementChild, text);
      told.classList.toggle("cm-unread", text === "–");
    }
  };

  const mark = (picture, time) => {
    const head = picture.querySelector(":scope > .cm-playhead");
    if (!head || head.hidden) return;
    if (!head.firstElementChild) head.append(Object.assign(document.createElement("span"), { className: "cm-when" }));
    const label = head.firstElementChild, { xaxis, width } = picture._fullLayout;
    put(label, clock(time));
    const over = Math.min(0, width - HALF - xaxis._offset - xaxis.l2p(time));
    if (label.cmOver !== over) label.style.marginLeft = `${label.cmOver = over}px`;
  };

  // One line of the answer below, which came with it: where the click was, it is seen too.
  const answer = () => {
    const place = document.querySelector("#cm-brief"), came = document.querySelector("#cm-why-card .cm-in-brief");
    const told = came?.textContent ?? "";
    if (!place || place.textContent === told) return;
    place.replaceChildren(...(came?.cloneNode(true).childNodes ?? []));
    place.closest("p").hidden = !told;
  };

  const follow = () => {
    const picture = document.querySelector("#cm-timeline .js-plotly-plot"), line = document.querySelector("#cm-reading");
    const video = document.querySelector("#cm-video video[src]");
    if (picture?._fullLayout?.xaxis && line) {
      if (line.hidden === Boolean(video)) line.hidden = !video;
      if (video) tell(line, picture, video.currentTime);
      if (video) mark(picture, video.currentTime);
    }
    answer();
  };
  document.addEventListener("cm-frame", follow);
}
