() => {
  // Light or dark as the system is, until somebody chooses; the choice is kept where the browser lets it be kept.
  "use strict";
  const KEY = "cm-scheme";
  const system = matchMedia("(prefers-color-scheme: dark)");
  const read = () => { try { return localStorage.getItem(KEY); } catch { return null; } };
  const write = (scheme) => { try { localStorage.setItem(KEY, scheme); } catch { /* it lasts as long as the page */ } };
  let chosen = read();

  const show = (scheme) => {
    document.body.classList.toggle("dark", scheme === "dark");
    document.documentElement.style.colorScheme = scheme; // scroll bars and the fields' own parts
  };
  const shown = () => (document.body.classList.contains("dark") ? "dark" : "light");

  // After gradio's own listener, which came first.
  system.addEventListener("change", () => show(chosen ?? shown()));
  document.addEventListener("cm-switch", () => {
    chosen = shown() === "dark" ? "light" : "dark";
    write(chosen);
    show(chosen);
  });
  show(chosen ?? shown()); // the system's, or what the address asks for, which gradio has read
}
