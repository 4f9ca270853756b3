() => {
  // The stretch of time that the time line shows is what the other pictures of the clip show, too. Nothing is asked of
  // the server: each picture holds the whole clip, and only its axis moves.
  "use strict";
  const LEAST = 0.5; // seconds: a picture of another time, as of a moment's last minute, is left as it is

  const shared = (own, wanted) => {
    const both = [Math.max(own[0], wanted[0]), Math.min(own[1], wanted[1])];
    return both[1] - both[0] >= LEAST ? both : own;
  };

  const bring = (picture, wanted) => {
    if (picture.cmData !== picture.data) { // drawn anew, over all of its own time
      picture.cmData = picture.data;
      picture.cmOwn = picture._fullLayout.xaxis.range.map(Number);
      picture.cmShown = picture.cmOwn.join();
    }
    const range = shared(picture.cmOwn, wanted);
    if (picture.cmShown === range.join()) return;
    picture.cmShown = range.join();
    window.Plotly.relayout(picture, { "xaxis.range": range });
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
      const wanted = axis.range.map(Number);
      for (const picture of document.querySelectorAll(".cm-follows .js-plotly-plot")) {
        if (picture._fullLayout?.xaxis && picture.data) bring(picture, wanted);
      }
    }
  };
  document.addEventListener("cm-frame", follow);
}
