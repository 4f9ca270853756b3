() => {
  // Where a picture is wider than the screen, its place is scrolled so that the playhead stays in view while the video
  // plays; unless somebody scrolled away from it, until it is met again or the video jumps.
  "use strict";
  const BEFORE = 0.15; // of the view that lies before the playhead once it was brought there
  const JUMP = 1; // seconds
  let wasPlaying = false, last = 0;

  const keep = (picture, place, seconds, anew) => {
    const axis = picture._fullLayout.xaxis, on = axis.l2p(seconds), wide = place.clientWidth;
    if (place.scrollWidth <= wide || !(on >= 0 && on <= axis._length)) return;
    const begin = picture.getBoundingClientRect().left - place.getBoundingClientRect().left;
    const at = begin + axis._offset + on, isIn = at >= 0 && at <= wide;
    const isLost = !isIn && (anew || (place.cmIn && place.cmLeft === place.scrollLeft));
    if (isLost) place.scrollLeft += at - BEFORE * wide;
    Object.assign(place, { cmIn: isIn || isLost, cmLeft: place.scrollLeft });
  };

  document.addEventListener("cm-frame", () => {
    const video = document.querySelector("#cm-video video[src]"), isPlaying = video?.paused === false;
    if (isPlaying) {
      const anew = !wasPlaying || Math.abs(video.currentTime - last) > JUMP;
      for (const { parentElement: picture } of document.querySelectorAll(".cm-wide .cm-playhead")) {
        if (picture._fullLayout) keep(picture, picture.closest(".cm-wide"), video.currentTime, anew);
      }
      last = video.currentTime;
    }
    wasPlaying = isPlaying;
  });
}
