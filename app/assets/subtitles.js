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

  const follow = () => {
    const video = document.querySelector("#cm-video video[src]");
    if (!video) return;
    const card = document.querySelector(".cm-transcript");
    const shown = card?.offsetParent ? card : null; // hidden: it is another video's
    const text = shown?.innerHTML ?? "";
    if (video.cmSaid === text) return;
    if (!text && video.cmSaid === undefined) return;
    video.cmSaid = text;
    video.cmTrack ??= video.addTextTrack("captions", document.querySelector("#cm-told")?.dataset.captions ?? "", shown?.lang ?? "");
    for (const cue of [...(video.cmTrack.cues ?? [])]) video.cmTrack.removeCue(cue);
    video.cmTrack.mode = "showing";
    for (const paragraph of shown?.querySelectorAll("p") ?? []) captions(paragraph).forEach((cue) => video.cmTrack.addCue(cue));
  };
  setInterval(follow, 400);
}
