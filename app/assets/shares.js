() => {
  // The coupling's tables are of the stretch that the time line shows, as its pictures are. The numbers of every tick
  // came with the card; medians as in `typical_shares` of app/telling/wording.py and `share_table` of app/telling/tables.py.
  "use strict";
  const REST = 150; // milliseconds of rest before the tables change

  const clock = (seconds) => {
    const tenths = Math.round(10 * seconds);
    return `${Math.floor(tenths / 600)}:${((tenths % 600) / 10).toFixed(1).padStart(4, "0")}`;
  };
  const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name]);

  const read = (card) => {
    const bytes = Uint8Array.from(atob(card.dataset.shares), (letter) => letter.charCodeAt(0));
    const values = new Float32Array(bytes.buffer), count = card.querySelectorAll(".cm-matrix tbody tr").length;
    const length = values.length / count ** 2;
    const line = (i) => values.subarray(i * length, (i + 1) * length);
    const sources = Array.from({ length: count }, (_, t) => Array.from({ length: count }, (_, s) => line(t * count + s)));
    return { length, sources, ...JSON.parse(card.dataset.ticks) };
  };

  // The ticks whose middle lies in the stretch, at least one: [first, stop).
  const ticksOf = (shares, [start, end]) => {
    const at = (seconds) => (seconds - shares.first) / shares.step - 0.5;
    const first = Math.min(Math.max(0, Math.ceil(at(start) - 1e-6)), shares.length - 1);
    return [first, Math.max(first + 1, Math.min(shares.length, Math.floor(at(end) + 1e-6) + 1))];
  };

  const median = (values) => {
    const sorted = Float32Array.from(values).sort(), half = sorted.length >> 1;
    if (!sorted.length) return 0;
    return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
  };

  // Of each source of a chain, over the ticks at which the chain's output is not zero.
  const typical = (sources, first, stop) => {
    const alive = Array.from({ length: stop - first }, (_, i) => first + i).filter((i) => sources.some((line) => line[i]));
    return sources.map((line) => median(alive.map((i) => line[i])));
  };

  let written = "{number} %"; // as the page's language writes a share
  const percent = (share) => {
    const number = Math.abs(100 * share).toFixed(0);
    return fill(written, { number: `${share < 0 && Number(number) ? "−" : ""}${number}` });
  };

  const put = (cell, share) => {
    cell.textContent = percent(share);
    cell.title = fill(cell.dataset.hint, { share: cell.textContent });
    cell.classList.toggle("below", cell.textContent.startsWith("−"));
    cell.style.setProperty("--depth", Math.min(1, Math.abs(share)).toFixed(3));
  };

  const list = (body, shares, first, stop) => {
    const each = Math.ceil((stop - first) / shares.rows), rows = [];
    for (let a = first; a < stop; a += each) {
      const lines = shares.sources.flat().map((line) => percent(median(line.subarray(a, Math.min(stop, a + each)))));
      const row = document.createElement("tr");
      row.append(...[clock(shares.first + a * shares.step), ...lines].map((text) =>
        Object.assign(document.createElement("td"), { textContent: text })));
      rows.push(row);
    }
    body.replaceChildren(...rows);
  };

  const restrict = (card, range) => {
    // The element may stay while gradio puts another clip's into it.
    if (card.cmFrom !== card.dataset.shares) Object.assign(card, { cmFrom: card.dataset.shares, cmRead: read(card) });
    written = card.dataset.percent;
    const shares = card.cmRead, [first, stop] = ticksOf(shares, range), told = card.querySelector("[data-window]");
    told.hidden = range[1] - range[0] >= shares.end - 0.01;
    told.textContent = told.hidden ? "" : fill(told.dataset.window, { start: clock(range[0]), end: clock(range[1]) });
    card.querySelectorAll(".cm-matrix tbody tr").forEach((row, target) => {
      const found = typical(shares.sources[target], first, stop);
      row.querySelectorAll("td").forEach((cell, source) => put(cell, found[source]));
    });
    list(card.querySelector(".cm-scroll tbody"), shares, first, stop);
  };

  let looked = "", shown = null, said = "", later = 0;
  const follow = () => {
    const card = document.querySelector(".cm-shares"), told = card?.querySelector("[data-window]");
    const range = document.querySelector("#cm-timeline .js-plotly-plot")?._fullLayout?.xaxis?.range.map(Number);
    // What comes from the server, in another language for one, is of the whole clip and says nothing of a window.
    const fresh = card !== shown || told?.textContent !== said;
    if (told && range && (fresh || range.join() !== looked)) {
      const whole = fresh && range[1] - range[0] >= JSON.parse(card.dataset.ticks).end - 0.01;
      [looked, shown, said] = [range.join(), card, told.textContent];
      clearTimeout(later);
      if (!whole) later = setTimeout(() => { restrict(card, range); said = told.textContent; }, REST);
    }
  };
  document.addEventListener("cm-frame", follow);
}
