() => {
  // The face's small pictures above the time line: each over its own time, whatever stretch is looked at.
  "use strict";
  const HALF = 29; // pixels of half a picture with its rim: none is cut off at the ends of the axis

  const place = (strip, axis) => {
    for (const face of strip.children) {
      const at = axis.l2p(Number(face.dataset.start));
      const left = Math.min(Math.max(at, HALF), axis._length - HALF);
      face.hidden = !(at >= 0 && at <= axis._length);
      face.style.left = `${axis._offset + left}px`;
      face.style.setProperty("--cm-aside", `${at - left}px`);
    }
  };

  const follow = () => {
    const strip = document.querySelector(".cm-faces");
    const axis = document.querySelector("#cm-timeline .js-plotly-plot")?._fullLayout?.xaxis;
    if (strip && axis) {
      const look = [...axis.range, axis._offset, axis._length].join();
      // What gradio puts in takes their places from the faces, and leaves the mark on their strip.
      if (strip.cmLook !== look || !strip.firstElementChild?.style.left) place(strip, axis);
      strip.cmLook = look;
    }
  };

  document.addEventListener("click", (event) => {
    const start = event.target.closest?.("button.cm-face")?.dataset.start;
    const video = document.querySelector("#cm-video video[src]");
    if (start !== undefined && video) video.currentTime = Number(start);
  });
  document.addEventListener("cm-frame", follow);
}
