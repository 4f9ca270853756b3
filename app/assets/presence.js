() => {
  // A page whose connection broke is still there: gradio's own heartbeat would not come back, this one does. And a page
  // that is closed says so at once, instead of being waited for (app/server/presence.py). One that the browser puts aside, to
  // bring it back with a step back, is waited for.
  "use strict";
  const SILENCE = 40000; // ms without a sign of life, of which one comes every 15 s: the connection is dead, or given up
  const { gradio_config: config, __gradio_session_hash__: session } = window;
  if (!config || !session) return;
  const root = new URL(config.root || "/", location.href).pathname.replace(/\/+$/, "");
  const address = `${location.origin}${root}${config.api_prefix}/heartbeat/${session}`;
  let line = null, heard = 0;

  const connect = () => {
    line?.close();
    line = new EventSource(`${address}?page`);
    heard = Date.now();
    line.onmessage = () => { heard = Date.now(); };
  };

  addEventListener("pagehide", ({ persisted }) => {
    line.close();
    if (!persisted) navigator.sendBeacon(address);
  });
  addEventListener("pageshow", ({ persisted }) => { if (persisted) connect(); });
  setInterval(() => { if (Date.now() - heard > SILENCE) connect(); }, SILENCE / 2);
  connect();
}
