() => {
  // Time along the pictures as the cards tell it: "0:05" and "17:22" in place of "5 s" and "1042 s". The pictures'
  // own numbers stay seconds, which all other scripts read.
  "use strict";
  const APART = 70; // pixels between two labels, about
  const MOST = 12; // labels, as in app/figures/style.py
  const PLAIN = 0.05; // seconds up to which plotly's own steps do as well
  const STEPS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1800, 3600];

  const clock = (seconds, digits) => {
    const whole = Number(seconds.toFixed(digits)), minutes = Math.floor(whole / 60);
    return `${minutes}:${(whole - 60 * minutes).toFixed(digits).padStart(digits ? digits + 3 : 2, "0")}`;
  };

  // plotly looks up in `labelalias` what it is about to write, "5.5 s" at the axis or over the hover. A table of all
  // that could come would have a row for every hundredth of half an hour, so an entry is made when it is asked for.
  const told = (text) => {
    const seconds = parseFloat(text);
    if (!(seconds >= 0)) return undefined;
    return clock(seconds, text.match(/\.(\d+)/)?.[1].length ?? 0);
  };
  const own = (_, text) => {
    const value = typeof text === "string" ? told(text) : undefined;
    return value && { value, configurable: true, enumerable: true, writable: true };
  };
  const written = new Proxy({}, {
    get: (target, text) => own(target, text)?.value ?? Reflect.get(target, text),
    getOwnPropertyDescriptor: own,
  });

  // Plotly would mark every 50 or 200 seconds, which no clock does, and on a phone more than there is room for.
  const stepOf = ({ range, _length: length }) => {
    const least = (range[1] - range[0]) / Math.min(MOST, length / APART);
    return least > PLAIN ? STEPS.find((step) => step >= least) ?? null : null;
  };

  // The marks of the stretch shown, and no others: a step alone would hold for all of the clip as well, for as long as
  // it takes plotly to write hundreds of labels when a short stretch is left.
  const within = (step, [start, end]) => {
    const first = Math.ceil(start / step - 1e-6), count = Math.floor(end / step + 1e-6) - first + 1;
    return Array.from({ length: count }, (_, i) => Number(((first + i) * step).toFixed(1)));
  };

  const mark = (picture, axis) => {
    const look = [...axis.range, Math.round(axis._length)].join(), anew = picture.cmTimed !== picture.data;
    if (!anew && picture.cmMarked === look) return;
    const step = stepOf(axis), at = step ? within(step, axis.range.map(Number)) : [];
    const text = at.map((seconds) => clock(seconds, Number.isInteger(seconds) ? 0 : 1));
    const marks = { "xaxis.tickmode": step ? "array" : "auto", "xaxis.tickvals": at, "xaxis.ticktext": text };
    Object.assign(picture, { cmTimed: picture.data, cmMarked: look });
    window.Plotly.relayout(picture, anew ? { ...marks, "xaxis.labelalias": written } : marks);
  };

  const follow = () => {
    if (window.Plotly) {
      for (const picture of document.querySelectorAll(".js-plotly-plot")) {
        const axis = picture._fullLayout?.xaxis;
        if (axis?._length > 0 && picture.data) mark(picture, axis);
      }
    }
  };
  document.addEventListener("cm-frame", follow);
}
