() => {
  // A whole folder as several clips. A browser's choice of a folder gives every file that lies in it, so what is no
  // clip is left out before anything leaves this computer; the rest goes the way of files that are chosen one by one.
  "use strict";
  const AGAIN = 300; // ms until the place for files is looked for again
  const say = (text) => {
    const line = document.querySelector("#cm-folder");
    line.textContent = text;
    line.hidden = !text;
  };

  // As `find_clips` of app/batch/run.py: by the ending, and nothing whose name or folder begins with a dot.
  const clipsOf = (files, endings) => [...files]
    .filter((file) => !file.webkitRelativePath.split("/").slice(1).some((part) => part.startsWith(".")))
    .filter((file) => endings.includes(/\.[^.]*$/.exec(file.name)?.[0].toLowerCase()))
    .sort((a, b) => (a.webkitRelativePath < b.webkitRelativePath ? -1 : 1));

  const give = (clips) => {
    const place = document.querySelector("#cm-several-files input[type=file]"), given = new DataTransfer();
    if (!place) { // while others are being sent
      setTimeout(give, AGAIN, clips);
      return;
    }
    for (const clip of clips) given.items.add(clip);
    place.files = given.files;
    place.dispatchEvent(new Event("change", { bubbles: true }));
  };

  const take = () => {
    const { endings, most, many, none } = document.querySelector("#cm-folder").dataset;
    const clips = clipsOf(chooser.files, endings.split(" "));
    const name = chooser.files[0]?.webkitRelativePath.split("/")[0] ?? "";
    chooser.value = ""; // or the same folder could not be chosen again
    say("");
    if (!clips.length) say(none.replace("[[name]]", name));
    else if (clips.length > Number(most)) say(many.replace("[[count]]", clips.length));
    else give(clips);
  };

  // In the document: one that stands nowhere can be swept up by the browser while the system's window is open.
  const chooser = Object.assign(document.createElement("input"), { type: "file", webkitdirectory: true, hidden: true });
  chooser.addEventListener("change", take);
  document.body.append(chooser);
  document.addEventListener("click", (event) => {
    if (event.target.closest?.("#cm-several-folder")) chooser.click();
  });
}
