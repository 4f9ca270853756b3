() => {
  // The words under the time line: each at its own time where they fit in a row, else in blocks that are read line by
  // line, as subtitles are; where there is no room for all, those that pull most come first. The rule is that of
  // `place` in app/figures/words.py, for the axis and the letters as they are on this screen.
  "use strict";
  const GAP = 7, SPACE = 4, APART = 16, BLOCK = 130, ASTRAY = 20; // pixels, as there
  const BARS = 1.2; // of the words' axis the lanes have what is above this
  const REST = 150; // milliseconds of rest before they move
  const ENDS = /[.!?…。！？](<\/b>)?$/;

  const pen = document.createElement("canvas").getContext("2d");
  const measured = new Map();
  const widthOf = (text, family) => {
    const key = `${family} ${text}`;
    if (!measured.has(key)) {
      pen.font = `${text.startsWith("<b>") ? "bold " : ""}12px ${family}`;
      const plain = text.replace(/<\/?b>/g, "").replace(/&lt;/g, "<").replace(/&gt;/g, ">").replace(/&amp;/g, "&");
      measured.set(key, pen.measureText(plain).width);
    }
    return measured.get(key);
  };

  // Where each text begins, in one lane and next to its own time; null where they do not fit so.
  const inARow = (words, length) => {
    const found = [];
    let left = 0;
    for (const { begin, end, width } of words) {
      const own = Math.min((begin + end - width) / 2, length - width);
      left = Math.max(left, own);
      if (left - own > ASTRAY || left + width > length + ASTRAY) return null;
      found.push([left, 0]);
      left += width + GAP;
    }
    return found;
  };

  // Words that are said one after another: begun at a sentence's end where one is near. Each block has the room up to
  // the next, but not more than its words take in time: it stands where they are said.
  const blocksOf = (words, length) => {
    const blocks = [];
    for (const [at, word] of words.entries()) {
      const last = blocks[blocks.length - 1]?.words ?? [], wide = at ? word.begin - last[0].begin : 0;
      const least = Math.max(BLOCK * (at && ENDS.test(words[at - 1].text) ? 0.75 : 1), APART + Math.max(...last.map((w) => w.width)));
      const fits = () => length - word.begin >= Math.max(0.75 * BLOCK, ...words.slice(at).map((w) => w.width));
      if (at && !(wide >= least && fits())) last.push(word);
      else blocks.push({ left: Math.max(0, at ? word.begin : Math.min(word.begin, length - BLOCK)), words: [word] });
    }
    blocks.forEach((block, i) => {
      const right = blocks[i + 1] ? blocks[i + 1].left - APART : length;
      block.room = Math.min(right - block.left, Math.max(BLOCK, block.words[block.words.length - 1].end - block.left));
    });
    return blocks;
  };

  // [left, lane] of texts set line by line; null where they need more lines than there are.
  const flow = (words, room, lanes) => {
    const found = [];
    let left = 0, lane = 0;
    for (const { width } of words) {
      if (left && left + width > room) [left, lane] = [0, lane + 1];
      if (lane >= lanes || width > room) return null;
      found.push([left, lane]);
      left += width + SPACE;
    }
    return found;
  };

  const inBlocks = (words, length, lanes) => blocksOf(words, length).flatMap((block) => {
    let chosen = [], places = [];
    for (const word of [...block.words].sort((a, b) => a.rank - b.rank)) {
      const more = [...chosen, word].sort((a, b) => a.at - b.at), found = flow(more, block.room, lanes);
      if (found) [chosen, places] = [more, found];
    }
    return chosen.map((word, i) => [word, block.left + places[i][0], places[i][1]]);
  });

  const fitting = (sent, axis, family, lanes) => {
    const [first, last] = axis.range.map(Number), length = axis._length, wide = length / (last - first);
    const on = (seconds) => (seconds - first) * wide;
    const words = sent.map(([text, from, to, colour], rank) => ({ text, colour, rank, begin: on(from), end: on(to) }))
      .filter(({ begin, end }) => begin + end >= 0 && begin + end <= 2 * length).sort((a, b) => a.begin - b.begin);
    words.forEach((word, at) => Object.assign(word, { at, width: widthOf(word.text, family) }));
    const row = inARow(words, length);
    const found = row ? words.map((word, i) => [word, ...row[i]]) : inBlocks(words, length, lanes);
    return found.map(([word, left, lane]) => ({ ...word, x: first + left / wide, lane }));
  };

  const lay = (picture) => {
    const sent = picture.layout.meta?.words;
    const at = picture.data.findIndex((trace) => trace.meta === "words");
    if (!sent?.length || at < 0) return;
    const { xaxis, yaxis2, font } = picture._fullLayout;
    const found = fitting(sent, xaxis, font.family, Math.round(yaxis2.range[1] - BARS));
    const used = Math.max(0, ...found.map(({ lane }) => lane)) + 1;
    window.Plotly.restyle(picture, {
      x: [found.map(({ x }) => x)],
      y: [found.map(({ lane }) => 0.6 + used - lane)],
      text: [found.map(({ text }) => text)],
      "textfont.color": [found.map(({ colour }) => colour)],
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
        later = setTimeout(() => picture.isConnected && lay(picture), REST);
      }
    }
  };
  document.addEventListener("cm-frame", follow);
  for (const sheet of ["beforeprint", "afterprint"]) {
    addEventListener(sheet, () => { // at once: what is printed does not wait
      const picture = document.querySelector("#cm-timeline .js-plotly-plot");
      if (picture?._fullLayout?.xaxis?._length > 0 && window.Plotly) lay(picture);
    });
  }
}
