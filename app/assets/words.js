() => {
  // The words under the time line: as many as have room in the stretch that is shown, those that pull most first.
  // The rule is that of `place` in app/figures/words.py, for the axis as it is on this screen.
  "use strict";
  const LANES = 4, GAP = 7, REST = 150; // lanes of words, pixels between two, milliseconds of rest before they move

  const fitting = (words, axis) => {
    const [first, last] = axis.range.map(Number);
    const wide = axis._length / (last - first);
    const taken = Array.from({ length: LANES }, () => []);
    const found = [];
    for (const word of words) { // in the order in which they choose
      const middle = (word[1] - first) * wide, half = (word[4] + GAP) / 2;
      if (middle < 0 || middle > axis._length) continue;
      const lane = taken.findIndex((spans) => spans.every(([a, b]) => middle + half <= a || middle - half >= b));
      if (lane < 0) continue;
      taken[lane].push([middle - half, middle + half]);
      found.push([word, lane]);
    }
    return found;
  };

  const lay = (picture) => {
    const words = picture.layout.meta?.words;
    const at = picture.data.findIndex((trace) => trace.meta === "words");
    if (!words?.length || at < 0) return;
    const found = fitting(words, picture._fullLayout.xaxis);
    const used = Math.max(0, ...found.map(([, lane]) => lane)) + 1;
    window.Plotly.restyle(picture, {
      x: [found.map(([word]) => word[1])],
      y: [found.map(([, lane]) => 0.6 + used - lane)],
      text: [found.map(([word]) => word[0])],
      "textfont.color": [found.map(([word]) => word[2])],
    }, [at]);
  };

  let looked = "", drawn = null, later = 0;
  const follow = () => {
    const picture = document.querySelector("#cm-timeline .js-plotly-plot");
    const axis = picture?._fullLayout?.xaxis;
    if (axis?._length > 0 && window.Plotly) {
      const look = [...axis.range, Math.round(axis._length)].join();
      if (look !== looked || picture.data !== drawn) {
        [looked, drawn] = [look, picture.data];
        clearTimeout(later);
        later = setTimeout(() => lay(picture), REST);
      }
    }
    requestAnimationFrame(follow);
  };
  follow();
}
