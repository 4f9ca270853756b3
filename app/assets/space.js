() => {
  // State space: the chains' paths on a plain canvas, turned by dragging or arrow keys; a point follows the video.
  "use strict";
  const COLOURS = { text: "--cm-text", audio: "--cm-audio", visual: "--cm-visual" };
  const UP = [43, 154, 87], DOWN = [154, 79, 176], NEUTRAL = [140, 148, 160];
  const TRAIL = 2; // seconds of the way that led to the playhead's points
  const TURN = 0.12; // radians an arrow key turns
  const view = { yaw: 0.6, pitch: 0.24 };
  let looked = "", drawn = NaN, paths = null;

  const mix = (score) => {
    const far = Math.min(1, Math.abs(score) / 1.5);
    const end = score < 0 ? DOWN : UP;
    return `rgb(${NEUTRAL.map((c, i) => Math.round(c + far * (end[i] - c))).join(",")})`;
  };

  // What is shown fills the picture, however it is turned about its upright axis: the middle of the window's points,
  // how far they reach from that axis, and how far up and down.
  const frame = (data, [first, last]) => {
    const points = Object.values(data.paths).flatMap((path) => path.slice(first, last + 1));
    const ends = [0, 1, 2].map((k) => [Math.min(...points.map((p) => p[k])), Math.max(...points.map((p) => p[k]))]);
    const middle = ends.map(([low, high]) => (low + high) / 2);
    const around = Math.max(1e-6, ...points.map((p) => Math.hypot(p[0] - middle[0], p[2] - middle[2])));
    return { middle, around, tall: Math.max(1e-6, (ends[1][1] - ends[1][0]) / 2), ground: ends[1][0] - middle[1] };
  };

  const project = (point, { middle, around, tall }, width, height) => {
    const [a, b] = [view.yaw, view.pitch];
    const rise = tall * Math.cos(b) + around * Math.abs(Math.sin(b));
    const size = Math.min((0.44 * width) / around, (0.44 * height) / rise);
    const [x, y, z] = point.map((c, k) => c - middle[k]);
    const across = x * Math.cos(a) + z * Math.sin(a);
    const deep = -x * Math.sin(a) + z * Math.cos(a);
    const up = y * Math.cos(b) - deep * Math.sin(b);
    const near = 1 / (1 - (0.12 * (y * Math.sin(b) + deep * Math.cos(b))) / Math.max(around, tall));
    return [width / 2 + size * across * near, height / 2 - size * up * near];
  };

  // A round plate under the paths, by which the eye sees how they are turned.
  const plate = (pen, framed, width, height) => {
    const { middle, around, ground } = framed;
    const on = (far, turn) => project(
      [middle[0] + far * around * Math.cos(turn), middle[1] + ground, middle[2] + far * around * Math.sin(turn)],
      framed, width, height,
    );
    const steps = Array.from({ length: 73 }, (_, i) => (i * Math.PI) / 36);
    const rings = [1 / 3, 2 / 3, 1].map((far) => steps.map((turn) => on(far, turn)));
    const spokes = [0, 1, 2, 3].map((i) => [on(1, (i * Math.PI) / 4), on(1, (i * Math.PI) / 4 + Math.PI)]);
    for (const line of [...rings, ...spokes]) stroke(pen, line, 0, line.length - 1, colourOf("--cm-line"), 1, 1);
    pen.globalAlpha = 1;
  };

  const at = (seconds, time) => {
    let low = 0, high = seconds.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (seconds[middle] <= time) low = middle; else high = middle - 1;
    }
    return low;
  };

  const point = (data, path, time) => {
    const i = at(data.seconds, time), j = Math.min(i + 1, path.length - 1);
    const part = i === j ? 0 : Math.min(1, Math.max(0, (time - data.seconds[i]) / (data.seconds[j] - data.seconds[i])));
    return path[i].map((c, k) => c + part * (path[j][k] - c));
  };

  const stroke = (pen, places, from, to, style, width, alpha) => {
    pen.strokeStyle = style;
    pen.lineWidth = width;
    pen.globalAlpha = alpha;
    pen.beginPath();
    for (let i = from; i <= to; i++) pen[i === from ? "moveTo" : "lineTo"](...places[i]);
    pen.stroke();
  };

  const drawPath = (pen, data, places, colour, [first, last]) => {
    stroke(pen, places, 0, places.length - 1, colour, 1.5, 0.15);
    stroke(pen, places, first, last, colour, 5, 0.4);
    for (let i = first; i < last; i++) stroke(pen, places, i, i + 1, mix(data.score[i]), 2, 1);
    pen.globalAlpha = 1;
  };

  const dot = (pen, [x, y], colour, ring) => {
    pen.beginPath();
    pen.arc(x, y, 7, 0, 2 * Math.PI);
    pen.fillStyle = colour;
    pen.fill();
    pen.lineWidth = 2.5;
    pen.strokeStyle = ring;
    pen.stroke();
  };

  const colourOf = (name) => getComputedStyle(document.body).getPropertyValue(name).trim();

  // The paths, which move only when turned: drawn once to a canvas of their own.
  const layer = (data, range, width, height, dense) => {
    const made = document.createElement("canvas");
    [made.width, made.height] = [width * dense, height * dense];
    const pen = made.getContext("2d");
    pen.scale(dense, dense);
    pen.lineJoin = pen.lineCap = "round";
    const framed = frame(data, range);
    plate(pen, framed, width, height);
    for (const [name, path] of Object.entries(data.paths)) {
      drawPath(pen, data, path.map((p) => project(p, framed, width, height)), colourOf(COLOURS[name]), range);
    }
    return { made, framed };
  };

  const draw = (canvas, time, { made, framed }, dense) => {
    const { clientWidth: width, clientHeight: height, cmData: data } = canvas;
    [canvas.width, canvas.height] = [made.width, made.height];
    const pen = canvas.getContext("2d");
    pen.drawImage(made, 0, 0);
    pen.scale(dense, dense);
    const [since, now] = [at(data.seconds, time - TRAIL), at(data.seconds, time)];
    for (const [name, path] of Object.entries(data.paths)) {
      const way = [...path.slice(since, now + 1), point(data, path, time)].map((p) => project(p, framed, width, height));
      way.slice(1).forEach((_, i) => stroke(pen, way, i, i + 1, colourOf(COLOURS[name]), 4.5, (i + 1) / way.length));
    }
    pen.globalAlpha = 1;
    for (const [name, path] of Object.entries(data.paths)) {
      dot(pen, project(point(data, path, time), framed, width, height), colourOf(COLOURS[name]), colourOf("--cm-card"));
    }
  };

  const listen = (canvas) => {
    canvas.cmListens = true;
    let from = null;
    canvas.addEventListener("pointerdown", (event) => { from = [event.clientX, event.clientY]; canvas.setPointerCapture(event.pointerId); });
    canvas.addEventListener("pointerup", () => { from = null; });
    canvas.addEventListener("pointercancel", () => { from = null; });
    canvas.addEventListener("pointermove", (event) => {
      if (!from) return;
      turn((event.clientX - from[0]) / 120, (event.clientY - from[1]) / 120);
      from = [event.clientX, event.clientY];
    });
    canvas.addEventListener("keydown", (event) => {
      const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
      if (!way || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      turn(way[0] * TURN, way[1] * TURN);
    });
  };

  const turn = (across, up) => {
    view.yaw += across;
    view.pitch = Math.min(1.5, Math.max(-1.5, view.pitch + up));
  };

  const follow = () => {
    const canvas = document.querySelector("#cm-space");
    if (canvas?.clientWidth) {
      if (canvas.cmText !== canvas.dataset.paths) {
        canvas.cmText = canvas.dataset.paths;
        canvas.cmData = JSON.parse(canvas.cmText);
        looked = "";
      }
      if (!canvas.cmListens) listen(canvas);
      const dense = devicePixelRatio || 1;
      const time = document.querySelector("#cm-video video[src]")?.currentTime ?? Number(canvas.dataset.seconds ?? 0);
      const shown = document.querySelector("#cm-timeline .js-plotly-plot")?._fullLayout?.xaxis?.range ?? [0, Infinity];
      const range = shown.map((end) => at(canvas.cmData.seconds, Number(end)));
      const { clientWidth: width, clientHeight: height } = canvas;
      // Nothing is drawn while nothing changes.
      const look = [view.yaw, view.pitch, width, height, range, document.body.classList.contains("dark"), dense].join();
      if (look !== looked) {
        paths = layer(canvas.cmData, range, width, height, dense);
        drawn = NaN;
      }
      // What gradio puts in takes the canvas's size from it, and with that what was drawn.
      const isEmpty = canvas.width !== paths.made.width || canvas.height !== paths.made.height;
      if (time !== drawn || isEmpty) draw(canvas, time, paths, dense);
      [looked, drawn] = [look, time];
    }
  };
  document.addEventListener("cm-frame", follow);
}
