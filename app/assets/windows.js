() => {
  // The stretch of time that the time line shows is what the other pictures of the clip show, too, and one chosen in one
  // of these is the time line's. Nothing is asked of the server: each picture holds the whole clip, and only its axis moves.
  "use strict";
  const LEAST = 0.5; // seconds: a picture of another time, as of a moment's last minute, is left as it is

  const shared = (own, wanted) => {
    const both = [Math.max(own[0], wanted[0]), Math.min(own[1], wanted[1])];
    return both[1] - both[0] >= LEAST ? both : own;
  };

  const rangeOf = (picture) => picture._fullLayout.xaxis.range.map(Number);
  const show = (picture, range) => {
    window.Plotly.relayout(picture, { "xaxis.range": range });
    picture.cmShown = rangeOf(picture).join();
  };

  const know = (picture) => {
    if (picture.cmData === picture.data) return; // else it is drawn anew, over all of its own time
    const own = rangeOf(picture);
    Object.assign(picture, { cmData: picture.data, cmOwn: own, cmShown: own.join(), cmWanted: own.join() });
  };

  const bring = (picture, wanted) => {
    const range = shared(picture.cmOwn, wanted);
    if (picture.cmWanted === range.join()) return;
    picture.cmWanted = range.join();
    show(picture, range);
  };

  // What somebody chose in one of the others; all of its own time, as a double click shows it, is all of the clip's.
  const chosen = (picture, { minallowed, maxallowed }) => {
    const range = rangeOf(picture);
    picture.cmShown = range.join();
    return range.join() === picture.cmOwn.join() ? [minallowed ?? 0, maxallowed ?? range[1]] : range;
  };

  // Drawn anew for the same clip, with another target or one band more, the time line shows the stretch it showed.
  let last = {};
  const keep = (main, axis) => {
    const anew = main.data !== last.data && main.layout.uirevision === last.clip;
    if (anew && last.range.join() !== axis.range.map(Number).join()) {
      window.Plotly.relayout(main, { "xaxis.range": last.range });
    }
    last = { data: main.data, clip: main.layout.uirevision, range: axis.range.map(Number) };
  };

  const follow = () => {
    const main = document.querySelector("#cm-timeline .js-plotly-plot");
    const axis = main?._fullLayout?.xaxis;
    if (axis && main.data && window.Plotly) {
      keep(main, axis);
      const pictures = [...document.querySelectorAll(".cm-follows .js-plotly-plot")].filter((p) => p._fullLayout?.xaxis && p.data);
      pictures.forEach(know);
      const leads = pictures.find((picture) => rangeOf(picture).join() !== picture.cmShown);
      if (leads) window.Plotly.relayout(main, { "xaxis.range": chosen(leads, axis) });
      const wanted = rangeOf(main);
      pictures.forEach((picture) => bring(picture, wanted));
    }
  };
  document.addEventListener("cm-frame", follow);
}
