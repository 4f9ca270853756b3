() => {
  // The page's language: as the address says (?lang=ja), else the browser's first that the page knows. A choice in
  // the head takes effect without leaving the page: gradio's labels at once, what the server made is asked for again.
  "use strict";
  const CODES = { en: "en", zh: "zh-CN", ja: "ja" }; // what gradio calls them
  const short = (tag) => String(tag ?? "").toLowerCase().split("-")[0];
  const asked = () => {
    const wishes = [new URLSearchParams(location.search).get("lang"), ...navigator.languages];
    return wishes.map(short).find((code) => code in CODES) ?? "en";
  };

  // gradio changes its language in a module whose name tells its version; without it the link loads the page anew.
  const speak = async (code) => {
    const files = performance.getEntriesByType("resource").map((entry) => entry.name);
    const core = files.find((name) => /\/assets\/core-[\w-]+\.js$/.test(name));
    const change = core && (await import(core)).changeLocale;
    change?.(CODES[code]);
    return Boolean(change);
  };

  document.addEventListener("click", async (event) => {
    const link = event.target.closest?.(".cm-languages a");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return; // with a key: in a tab of its own
    event.preventDefault();
    const url = new URL(location.href);
    url.searchParams.set("lang", link.dataset.language);
    history.replaceState(history.state, "", url);
    if (!(await speak(link.dataset.language))) location.reload();
    else document.querySelector("#cm-retell")?.click();
  });
  if (CODES[asked()] !== document.documentElement.lang) speak(asked());
}
