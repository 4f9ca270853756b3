() => {
  // Subtitles: the transcript's words on the video, as the browser's own captions; corrected words come at once.
  "use strict";
  const MOST = 7; // words in a caption
  const seconds = (word, name) => Number(word.dataset[name]);

  const captions = (paragraph) => {
    const words = [...paragraph.querySelectorAll(".cm-word")];
    const parts = Math.max(1, Math.ceil(words.length / MOST));
    const each = Math.ceil(words.length / parts);
    const cues = [];
    for (let i = 0; i < words.length; i += each) {
      const said = words.slice(i, i + each);
      const start = seconds(said[0], "start"), end = seconds(said[said.length - 1], "end");
      if (end > start) cues.push(new VTTCue(start, end, said.map((w) => w.textContent).join(" ").replace(/[&<>]/g, (c) => `&#${c.charCodeAt(0)};`)));
    }
    return cues;
  };

  // Of the transcript its mark alone is compared: it changes with the words, and not with what scripts put into them.
  const fill = (video, card) => {
    video.cmTrack ??= add(video, card);
    if (video.cmTrack.mode === "disabled") video.cmTrack.mode = "hidden"; // switched off in the browser's menu it tells no cues
    for (const cue of [...(video.cmTrack.cues ?? [])]) video.cmTrack.removeCue(cue);
    for (const paragraph of card?.querySelectorAll("p") ?? []) captions(paragraph).forEach((cue) => video.cmTrack.addCue(cue));
  };

  let wanted = true; // as the button under the video says, or the browser's own menu
  const add = (video, card) => {
    const named = document.querySelector("#cm-told")?.dataset.captions ?? "";
    return Object.assign(video.addTextTrack("captions", named, card?.lang ?? ""), { mode: wanted ? "showing" : "hidden" });
  };

  const show = (video, card) => {
    const button = document.querySelector("#cm-film [data-captions]"), track = video.cmTrack;
    if (track) wanted = track.mode === "showing";
    if (!button) return;
    button.hidden = !card;
    button.setAttribute("aria-pressed", wanted);
  };

  const follow = () => {
    const video = document.querySelector("#cm-video video[src]");
    if (!video) return;
    const card = document.querySelector(".cm-transcript");
    const shown = card?.offsetParent ? card : null; // hidden: it is another video's
    const said = shown?.dataset.of ?? "";
    if ((video.cmSaid ?? "") !== said) {
      video.cmSaid = said;
      fill(video, shown);
    }
    show(video, shown);
  };

  document.addEventListener("click", (event) => {
    const track = event.target.closest?.("#cm-film [data-captions]") && document.querySelector("#cm-video video[src]")?.cmTrack;
    if (!track) return;
    track.mode = track.mode === "showing" ? "hidden" : "showing";
    follow();
  });
  setInterval(follow, 400);
}
