() => {
  // The face that is read, framed in the video: where several are in the picture, it shows whose. Between two looks the
  // frame moves from one box to the other, unless they lie apart: then it is another face, or the picture was cut. Where
  // no look found a face for longer than a look lasts, nothing is framed.
  "use strict";
  const LASTS = 1; // seconds, as extractors/face/features.py has it
  const WHOLE = 65535; // as in app/face_box.py
  let shown = true; // as the button under the video says

  const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer;
  const read = ({ dataset }) => ({
    times: new Float32Array(bytes(dataset.times)), boxes: new Uint16Array(bytes(dataset.boxes)),
  });

  // The looks that are shown, read once: gradio keeps the element and changes what it holds. None while they are of
  // another video, whose cards are hidden.
  let held = null, looks = null;
  const looked = () => {
    const holder = document.querySelector(".cm-looks");
    if (!holder?.parentElement?.offsetParent) return null;
    if (held !== holder.dataset.boxes) [held, looks] = [holder.dataset.boxes, read(holder)];
    return looks;
  };

  // The last look at a time or before it, -1 where there is none.
  const before = (times, time) => {
    let low = 0, high = times.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (times[middle] <= time) low = middle + 1; else high = middle;
    }
    return low - 1;
  };

  const meet = ([x, y, w, h], [u, v, wide, high]) => x < u + wide && u < x + w && y < v + high && v < y + h;

  // x, y, width and height at a time, as shares of the picture; null where no face was found.
  const at = ({ times, boxes }, time) => {
    const one = (j) => Array.from(boxes.subarray(4 * j, 4 * j + 4), (part) => part / WHOLE);
    const i = before(times, time + 1e-3), gap = times[i + 1] - times[i]; // NaN where there is no next one
    if (i < 0 || time - times[i] > LASTS) return null;
    const here = one(i), next = gap <= LASTS ? one(i + 1) : here;
    if (next === here || !meet(here, next)) return here;
    const share = Math.max(0, time - times[i]) / gap;
    return here.map((part, k) => part + share * (next[k] - part));
  };

  // The picture within the player, which may be wider or higher than it.
  const picture = (video) => {
    const { clientWidth: wide, clientHeight: high, videoWidth, videoHeight } = video;
    const scale = Math.min(wide / videoWidth, high / videoHeight), [w, h] = [scale * videoWidth, scale * videoHeight];
    return [video.offsetLeft + video.clientLeft + (wide - w) / 2, video.offsetTop + video.clientTop + (high - h) / 2, w, h];
  };

  const frame = (video) => {
    const there = video.parentElement.querySelector(":scope > .cm-box");
    if (there) return there;
    const made = Object.assign(document.createElement("div"), { className: "cm-box" });
    made.setAttribute("aria-hidden", "true");
    video.after(made);
    return made;
  };

  const follow = () => {
    const video = document.querySelector("#cm-video video[src]"), known = video && looked();
    const button = document.querySelector("#cm-film [data-box]");
    if (button) {
      if (button.hidden === Boolean(known)) button.hidden = !known;
      if (button.getAttribute("aria-pressed") !== String(shown)) button.setAttribute("aria-pressed", shown);
    }
    const found = known && shown && video.videoWidth ? at(known, video.currentTime) : null;
    if (found) place(video, found);
    else for (const box of document.querySelectorAll("#cm-video .cm-box:not([hidden])")) box.hidden = true;
  };

  const place = (video, found) => {
    const [left, top, wide, high] = picture(video), box = frame(video);
    const [x, y, w, h] = [left + found[0] * wide, top + found[1] * high, found[2] * wide, found[3] * high];
    const look = [x, y, w, h].map((pixels) => pixels.toFixed(1)).join();
    if (box.hidden) box.hidden = false;
    if (box.cmLook === look) return;
    box.cmLook = look;
    Object.assign(box.style, { transform: `translate(${x}px, ${y}px)`, width: `${w}px`, height: `${h}px` });
  };

  document.addEventListener("click", (event) => {
    if (event.target.closest?.("#cm-film [data-box]")) shown = !shown;
  });
  document.addEventListener("cm-frame", follow);
}
