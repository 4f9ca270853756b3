() => {
  // gradio's video player fetches 31 MB of ffmpeg with every video, to cut it in the browser. The page offers no
  // cutting (its buttons are hidden), so that fetch is left hanging: refused, it would be an error in the log.
  "use strict";
  const fetched = window.fetch;
  window.fetch = (what, ...how) =>
    /\/static\/ffmpeg\//.test(String(what?.url ?? what)) ? new Promise(() => {}) : fetched.call(window, what, ...how);
}
