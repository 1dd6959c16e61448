// Everything that is drawn, by code: there are no pictures.

export const themes = {
  amber: { deep: "#2f7f96", sea: "#4fa3ae", foam: "#d8f0e6", shore: "#efdcaa", shade: "#d6bd84", ground: "#b7bb58", ground2: "#a5ac4b", path: "#dcc790", tuft: "#8d963c", leaves: ["#e2762d", "#eb9f36", "#cf4f2a", "#d9b23c"], trunk: "#7a5238", rock: "#9c9389", bush: "#9a9b3a", petal: ["#f4e7b0", "#e9603a", "#fff6dd"] },
  birch: { deep: "#23537c", sea: "#3f7ea6", foam: "#e6f4fb", shore: "#cddfe6", shade: "#a9c4d2", ground: "#edf4f6", ground2: "#dfeaef", path: "#c9d9df", tuft: "#b7cdd7", leaves: ["#5f9c86", "#4c8577", "#7fb29b", "#437264"], trunk: "#f5f1e8", rock: "#8fa3b2", bush: "#88b5a6", petal: ["#bcd9f5", "#ffffff", "#a5b9ee"] },
};

export const looks = [
  { coat: "#c8452f", trim: "#f5d481", skin: "#f2c79b", hair: "#5b3520" },
  { coat: "#2f7f8f", trim: "#f0ead2", skin: "#a86b43", hair: "#2b1d18" },
  { coat: "#6c4f9e", trim: "#f3b95f", skin: "#f7d7b5", hair: "#d9a441" },
  { coat: "#3f8f4f", trim: "#f6e27a", skin: "#d69a6a", hair: "#1f1a1a" },
  { coat: "#d68a1f", trim: "#7a3b18", skin: "#edbd92", hair: "#b5512c" },
  { coat: "#5f7fa8", trim: "#e8f2f7", skin: "#f4d3bd", hair: "#e6e3dc" },
];

const tau = Math.PI * 2;

function dot(c, x, y, rx, ry, fill) {
  c.fillStyle = fill;
  c.beginPath();
  c.ellipse(x, y, rx, ry ?? rx, 0, 0, tau);
  c.fill();
}

function shape(c, fill, draw, stroke, width = 2) {
  c.beginPath();
  draw(c);
  c.closePath();
  if (fill) { c.fillStyle = fill; c.fill(); }
  if (stroke) { c.strokeStyle = stroke; c.lineWidth = width; c.stroke(); }
}

function line(c, color, width, ...points) {
  c.strokeStyle = color;
  c.lineWidth = width;
  c.lineCap = c.lineJoin = "round";
  c.beginPath();
  points.forEach(([x, y], i) => (i ? c.lineTo(x, y) : c.moveTo(x, y)));
  c.stroke();
}

// The same numbers for the same seed, so that a meadow stays as it is.
export function chance(seed) {
  let s = seed >>> 0;
  return () => {
    s = (s + 0x6d2b79f5) >>> 0;
    let t = Math.imul(s ^ (s >>> 15), 1 | s);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

// --- the ground, drawn once ---

export function ground(isle, scale) {
  const t = themes[isle.name] ?? themes.amber;
  const canvas = document.createElement("canvas");
  const margin = 120;
  canvas.width = (isle.width + 2 * margin) * scale;
  canvas.height = (isle.height + 2 * margin) * scale;
  const c = canvas.getContext("2d");
  c.scale(scale, scale);
  c.translate(margin, margin);
  const x = isle.width / 2, y = isle.height / 2;
  const rnd = chance(isle.name.length * 977 + isle.name.charCodeAt(0));
  const wobble = Array.from({ length: 9 }, () => rnd() * tau);
  const coast = (grow, lift = 0) => shape(c, c.fillStyle, () => {
    for (let i = 0; i <= 180; i++) {
      const a = (i / 180) * tau;
      const w = 1 + 0.018 * Math.sin(5 * a + wobble[0]) + 0.014 * Math.sin(9 * a + wobble[1]) + 0.008 * Math.sin(17 * a + wobble[2]);
      const px = x + (isle.rx + grow) * w * Math.cos(a), py = y + lift + (isle.ry + grow) * w * Math.sin(a);
      i ? c.lineTo(px, py) : c.moveTo(px, py);
    }
  });
  c.fillStyle = t.sea; c.globalAlpha = 0.55; coast(112, 10);
  c.globalAlpha = 0.9; coast(86, 8);
  c.globalAlpha = 1; c.fillStyle = t.foam; coast(62, 7);
  c.fillStyle = t.shade; coast(55, 12);
  c.fillStyle = t.shore; coast(54, 0);
  c.fillStyle = t.ground2; coast(22, 5);
  c.fillStyle = t.ground; coast(20, 0);
  patches(c, isle, t, rnd);
  paths(c, isle, t);
  tufts(c, isle, t, rnd);
  return { canvas, margin, scale };
}

function inside(isle, px, py, by = 0.97) {
  return ((px - isle.width / 2) / isle.rx) ** 2 + ((py - isle.height / 2) / isle.ry) ** 2 < by * by;
}

function patches(c, isle, t, rnd) {
  c.fillStyle = t.ground2;
  for (let i = 0; i < 60; i++) {
    const px = rnd() * isle.width, py = rnd() * isle.height;
    if (inside(isle, px, py, 0.88)) {
      c.globalAlpha = 0.35;
      dot(c, px, py, 30 + rnd() * 70, 14 + rnd() * 30, t.ground2);
    }
  }
  c.globalAlpha = 1;
}

function paths(c, isle, t) {
  const at = (kind) => isle.things.find((g) => g.kind === kind);
  const middle = at("fountain");
  if (!middle) return;
  for (const [color, width] of [[t.shade, 50], [t.path, 44]]) {
    for (const kind of ["stall", "post", "door", "board"]) {
      const g = at(kind);
      if (!g) continue;
      c.strokeStyle = color; c.lineWidth = width; c.lineCap = "round";
      c.beginPath();
      c.moveTo(middle.x, middle.y + 10);
      c.quadraticCurveTo((middle.x + g.x) / 2 + 40, (middle.y + g.y) / 2 + 60, g.x, g.y + g.r * 0.7);
      c.stroke();
    }
    dot(c, middle.x, middle.y + 8, middle.r + width, (middle.r + width) * 0.62, color);
  }
}

function tufts(c, isle, t, rnd) {
  for (let i = 0; i < 420; i++) {
    const px = rnd() * isle.width, py = rnd() * isle.height;
    if (!inside(isle, px, py, 0.96)) continue;
    if (i % 5) {
      for (const d of [-3, 0, 3]) line(c, t.tuft, 1.6, [px + d, py], [px + d * 1.8, py - 6 - rnd() * 3]);
    } else {
      line(c, t.tuft, 1.5, [px, py + 5], [px, py]);
      const petal = t.petal[i % t.petal.length];
      for (let k = 0; k < 5; k++) dot(c, px + 2.6 * Math.cos((k * tau) / 5), py + 2.2 * Math.sin((k * tau) / 5) - 1, 1.9, 1.7, petal);
      dot(c, px, py - 1, 1.5, 1.5, "#e8b13a");
    }
  }
}

export function sea(c, view, theme, time) {
  const t = themes[theme] ?? themes.amber;
  c.fillStyle = t.deep;
  c.fillRect(view.x, view.y, view.w, view.h);
  c.strokeStyle = t.sea; c.lineWidth = 3; c.lineCap = "round";
  c.globalAlpha = 0.6;
  const step = 96;
  for (let gy = Math.floor(view.y / step) * step; gy < view.y + view.h; gy += step) {
    for (let gx = Math.floor(view.x / step) * step; gx < view.x + view.w; gx += step) {
      const wave = Math.sin(time * 0.7 + gx * 0.013 + gy * 0.021);
      const px = gx + 40 * Math.sin(gy * 1.7) + wave * 9, py = gy + 14 * Math.cos(gx * 2.3);
      c.beginPath();
      c.moveTo(px, py); c.quadraticCurveTo(px + 12, py - 6, px + 24, py); c.quadraticCurveTo(px + 36, py + 6, px + 48, py);
      c.stroke();
    }
  }
  c.globalAlpha = 1;
}

function shadow(c, x, y, rx, ry) { dot(c, x, y, rx, ry ?? rx * 0.4, "rgba(30,40,50,.22)"); }

// --- what stands on an isle ---

const things = {
  tree(c, g, t, time) {
    const pick = Math.abs(Math.round(g.x * 7 + g.y * 3));
    const leaf = t.leaves[pick % t.leaves.length];
    const sway = Math.sin(time * 1.1 + g.x) * 2;
    shadow(c, g.x, g.y + 8, 34, 13);
    if (t === themes.birch && pick % 3) return pine(c, g, leaf, sway);
    shape(c, t.trunk, () => { c.moveTo(g.x - 7, g.y + 8); c.lineTo(g.x - 5, g.y - 40); c.lineTo(g.x + 5, g.y - 40); c.lineTo(g.x + 8, g.y + 8); });
    if (t === themes.birch) for (const d of [-4, -14, -26]) line(c, "#4a4a4a", 2, [g.x - 5, g.y + d], [g.x - 1, g.y + d - 1]);
    const blob = (dx, dy, r, color) => dot(c, g.x + dx + sway * (-dy / 90), g.y + dy, r, r * 0.92, color);
    const dark = "rgba(70,30,20,.18)";
    blob(0, -50, 37, leaf); blob(-21, -44, 25, leaf); blob(22, -46, 26, leaf); blob(4, -74, 28, leaf);
    blob(8, -38, 30, dark); blob(-8, -62, 22, "rgba(255,255,255,.17)"); blob(8, -80, 14, "rgba(255,255,255,.17)");
    for (let i = 0; i < 5; i++) dot(c, g.x - 22 + ((pick * (i + 3) * 13) % 46), g.y - 30 - ((pick * (i + 1) * 7) % 50), 3, 2.4, "rgba(255,240,200,.5)");
  },
  rock(c, g, t) {
    shadow(c, g.x, g.y + 8, 32, 12);
    shape(c, t.rock, () => { c.moveTo(g.x - 28, g.y + 10); c.lineTo(g.x - 22, g.y - 12); c.lineTo(g.x - 4, g.y - 26); c.lineTo(g.x + 18, g.y - 16); c.lineTo(g.x + 28, g.y + 8); c.quadraticCurveTo(g.x, g.y + 18, g.x - 28, g.y + 10); });
    shape(c, "rgba(255,255,255,.28)", () => { c.moveTo(g.x - 22, g.y - 12); c.lineTo(g.x - 4, g.y - 26); c.lineTo(g.x + 6, g.y - 10); c.lineTo(g.x - 12, g.y - 2); });
    if (t === themes.birch) shape(c, "#fff", () => { c.moveTo(g.x - 18, g.y - 16); c.quadraticCurveTo(g.x - 4, g.y - 34, g.x + 16, g.y - 18); c.quadraticCurveTo(g.x, g.y - 14, g.x - 18, g.y - 16); });
  },
  bush(c, g, t) {
    shadow(c, g.x, g.y + 6, 28, 10);
    dot(c, g.x - 13, g.y - 6, 16, 14, t.bush); dot(c, g.x + 13, g.y - 6, 16, 14, t.bush); dot(c, g.x, g.y - 13, 18, 16, t.bush);
    dot(c, g.x - 4, g.y - 18, 9, 6, "rgba(255,255,255,.25)");
    const berry = t === themes.birch ? "#d0435a" : "#c8352b";
    for (const [dx, dy] of [[-14, -4], [2, -10], [12, -2], [16, -12], [-4, -20]]) dot(c, g.x + dx, g.y + dy, 2.8, 2.8, berry);
  },
  stall(c, g) {
    shadow(c, g.x, g.y + 14, 84, 24);
    for (const d of [-62, 54]) { c.fillStyle = "#7a5238"; c.fillRect(g.x + d, g.y - 84, 8, 96); }
    c.fillStyle = "#4d3424"; c.fillRect(g.x - 56, g.y - 68, 112, 50);
    c.fillStyle = "#a8734a"; c.fillRect(g.x - 68, g.y - 22, 136, 36);
    c.fillStyle = "#c08a5a"; c.fillRect(g.x - 72, g.y - 28, 144, 10);
    for (const d of [-46, -16, 14, 44]) line(c, "#8d5d3b", 2, [g.x + d, g.y - 16], [g.x + d, g.y + 12]);
    for (const [i, item] of ["straw-hat", "lantern", "sword", "wizard-hat"].entries()) drawItem(c, item, g.x - 48 + i * 32, g.y - 40, 30);
    for (let i = 0; i < 8; i++) shape(c, i % 2 ? "#f7ead0" : "#cf4f3a", () => { const x0 = g.x - 80 + i * 20; c.moveTo(x0 + 4, g.y - 108); c.lineTo(x0 + 22, g.y - 108); c.lineTo(x0 + 20, g.y - 74); c.arc(x0 + 10, g.y - 74, 10, 0, Math.PI); });
    sign(c, g.x, g.y - 116, "STALL");
  },
  post(c, g, _t, time) {
    shadow(c, g.x, g.y + 8, 26, 10);
    c.fillStyle = "#7a5238"; c.fillRect(g.x - 5, g.y - 40, 10, 48);
    shape(c, "#3b7fae", () => { c.roundRect(g.x - 26, g.y - 72, 52, 36, [18, 18, 4, 4]); });
    shape(c, "#2f688f", () => { c.roundRect(g.x - 26, g.y - 58, 52, 22, [0, 0, 4, 4]); });
    c.fillStyle = "#1e4560"; c.fillRect(g.x - 14, g.y - 54, 28, 5);
    const lift = Math.sin(time * 2) > 0.4 ? -4 : 0;
    line(c, "#d9d2c0", 3, [g.x + 26, g.y - 48], [g.x + 26, g.y - 72 + lift]);
    shape(c, "#d8442f", () => { c.rect(g.x + 26, g.y - 74 + lift, 16, 10); });
  },
  door(c, g, t, time) {
    shadow(c, g.x, g.y + 10, 52, 16);
    const other = t === themes.amber ? themes.birch : themes.amber;
    shape(c, "#7d7f86", () => { c.moveTo(g.x - 46, g.y + 10); c.lineTo(g.x - 46, g.y - 62); c.arc(g.x, g.y - 62, 46, Math.PI, 0); c.lineTo(g.x + 46, g.y + 10); });
    const glow = c.createLinearGradient(0, g.y - 96, 0, g.y + 8);
    glow.addColorStop(0, other.sea); glow.addColorStop(0.55, other.shore); glow.addColorStop(1, other.ground);
    shape(c, glow, () => { c.moveTo(g.x - 32, g.y + 8); c.lineTo(g.x - 32, g.y - 62); c.arc(g.x, g.y - 62, 32, Math.PI, 0); c.lineTo(g.x + 32, g.y + 8); });
    c.globalAlpha = 0.55;
    for (let i = 0; i < 7; i++) {
      const p = (time * 0.35 + i / 7) % 1;
      dot(c, g.x + 22 * Math.sin(i * 2.4 + time), g.y - 6 - p * 80, 3.4 * (1 - p) + 1, undefined, "#fff");
    }
    c.globalAlpha = 1;
    for (let i = 0; i < 7; i++) { const a = Math.PI + (i / 6) * Math.PI; line(c, "#5f6168", 2, [g.x + 33 * Math.cos(a), g.y - 62 + 33 * Math.sin(a)], [g.x + 45 * Math.cos(a), g.y - 62 + 45 * Math.sin(a)]); }
    for (const d of [-44, -22, 0]) for (const s of [-1, 1]) line(c, "#5f6168", 2, [g.x + s * 33, g.y + d], [g.x + s * 45, g.y + d]);
    sign(c, g.x, g.y - 122, t === themes.amber ? "BIRCH" : "AMBER");
  },
  fountain(c, g, t, time) {
    shadow(c, g.x, g.y + 22, 88, 36);
    dot(c, g.x, g.y + 10, 76, 44, "#8f949b"); dot(c, g.x, g.y + 2, 76, 44, "#b9bec4"); dot(c, g.x, g.y + 2, 64, 35, "#5fb3c7");
    dot(c, g.x, g.y, 30 + 5 * Math.sin(time * 2), 15 + 2 * Math.sin(time * 2), "rgba(255,255,255,.25)");
    c.fillStyle = "#a4a9b0"; c.fillRect(g.x - 9, g.y - 50, 18, 50);
    dot(c, g.x, g.y - 50, 30, 12, "#b9bec4"); dot(c, g.x, g.y - 53, 24, 8, "#7cc6d6");
    for (let i = 0; i < 10; i++) {
      const p = (time * 0.8 + i / 10) % 1, a = i * 2.51;
      dot(c, g.x + Math.cos(a) * p * 40, g.y - 62 - 26 * Math.sin(p * Math.PI) + p * 54 + Math.sin(a) * p * 14, 3.2, 3.6, t === themes.birch ? "#e4f4fb" : "#cdeef2");
    }
  },
  board(c, g) {
    shadow(c, g.x, g.y + 8, 34, 10);
    for (const d of [-22, 16]) { c.fillStyle = "#6d4a33"; c.fillRect(g.x + d, g.y - 50, 6, 58); }
    c.fillStyle = "#a8734a"; c.fillRect(g.x - 36, g.y - 66, 72, 42); c.fillStyle = "#8d5d3b"; c.fillRect(g.x - 40, g.y - 72, 80, 8);
    for (const [dx, dy, col, r] of [[-28, -58, "#fff6dd", -0.06], [-4, -60, "#f4d98a", 0.05], [14, -56, "#d8ecf2", -0.03]]) { c.save(); c.translate(g.x + dx, g.y + dy); c.rotate(r); c.fillStyle = col; c.fillRect(0, 0, 18, 24); c.fillStyle = "rgba(0,0,0,.3)"; for (const k of [5, 10, 15]) c.fillRect(3, k, 12, 1.6); c.restore(); }
  },
};

function pine(c, g, leaf, sway) {
  c.fillStyle = "#6b4a34"; c.fillRect(g.x - 5, g.y - 14, 10, 22);
  for (const [dy, w] of [[-8, 34], [-34, 28], [-58, 21]]) {
    shape(c, leaf, () => { c.moveTo(g.x - w, g.y + dy); c.quadraticCurveTo(g.x, g.y + dy + 8, g.x + w, g.y + dy); c.lineTo(g.x + sway * 0.6, g.y + dy - 42); });
    shape(c, "#ffffffd8", () => { c.moveTo(g.x - w * 0.55, g.y + dy - 18); c.quadraticCurveTo(g.x, g.y + dy - 8, g.x + w * 0.55, g.y + dy - 18); c.lineTo(g.x + sway * 0.6, g.y + dy - 42); });
  }
}

function sign(c, x, y, text) {
  c.font = "bold 14px Trebuchet MS, Verdana, sans-serif";
  c.textAlign = "center";
  const w = c.measureText(text).width + 20;
  shape(c, "#5b3d28", () => c.roundRect(x - w / 2, y - 13, w, 24, 7));
  c.fillStyle = "#f7ead0"; c.fillText(text, x, y + 4);
}

export function drawThing(c, g, theme, time) { things[g.kind]?.(c, g, themes[theme] ?? themes.amber, time); }

// --- items, around a middle, in a square of some size ---

const items = {
  coin(c) { dot(c, 0, 1.5, 15, 15, "#b97a1c"); dot(c, 0, 0, 15, 15, "#f2b836"); dot(c, 0, 0, 11, 11, "#f9d364"); shape(c, "#d9972a", () => { for (let i = 0; i < 10; i++) { const a = -Math.PI / 2 + (i * Math.PI) / 5, r = i % 2 ? 3.2 : 7.4; c.lineTo(r * Math.cos(a), r * Math.sin(a)); } }); },
  gem(c) { shape(c, "#b9417f", () => { c.moveTo(-14, -5); c.lineTo(-8, -13); c.lineTo(8, -13); c.lineTo(14, -5); c.lineTo(0, 14); }); shape(c, "#e57fb2", () => { c.moveTo(-14, -5); c.lineTo(-8, -13); c.lineTo(0, -5); }); shape(c, "#f6bcd8", () => { c.moveTo(-8, -13); c.lineTo(8, -13); c.lineTo(0, -5); }); shape(c, "#d45f9b", () => { c.moveTo(-6, -5); c.lineTo(6, -5); c.lineTo(0, 14); }); },
  mushroom(c) { shape(c, "#f7ead0", () => c.roundRect(-5, -1, 10, 15, 5)); shape(c, "#d23f2e", () => { c.moveTo(-15, 2); c.quadraticCurveTo(-14, -15, 0, -15); c.quadraticCurveTo(14, -15, 15, 2); c.quadraticCurveTo(0, 6, -15, 2); }); for (const [x, y, r] of [[-7, -4, 2.6], [2, -9, 3], [8, -2, 2.2]]) dot(c, x, y, r, r * 0.85, "#fff4e4"); },
  frostbell(c) { line(c, "#4c8577", 2.6, [2, 15], [0, 0], [-4, -8]); dot(c, 6, 9, 6, 2.6, "#6fae98"); shape(c, "#8fb9f0", () => { c.moveTo(-12, 4); c.quadraticCurveTo(-12, -14, -2, -14); c.quadraticCurveTo(9, -13, 8, 4); c.lineTo(4, 0); c.lineTo(-2, 5); c.lineTo(-7, 0); }); dot(c, -5, -6, 2.4, 4, "rgba(255,255,255,.65)"); dot(c, -2, 6, 2, 2, "#f6dc7c"); },
  "straw-hat"(c) { dot(c, 0, 5, 17, 6, "#d6a640"); dot(c, 0, 3.6, 17, 5.6, "#ecc35e"); shape(c, "#f2cf75", () => { c.moveTo(-9, 3); c.quadraticCurveTo(-9, -11, 0, -11); c.quadraticCurveTo(9, -11, 9, 3); c.quadraticCurveTo(0, 6, -9, 3); }); line(c, "#c8452f", 3.4, [-9, 1], [0, 3.4], [9, 1]); },
  "wizard-hat"(c) { dot(c, 0, 9, 16, 5, "#3d2f70"); shape(c, "#5a469c", () => { c.moveTo(-10, 9); c.quadraticCurveTo(-5, -8, 5, -16); c.quadraticCurveTo(3, -6, 10, 9); c.quadraticCurveTo(0, 12, -10, 9); }); line(c, "#f2c14e", 2.6, [-9, 6], [0, 8.4], [9, 6]); dot(c, -2, 0, 1.7, 1.7, "#f9e08a"); dot(c, 3, -5, 1.4, 1.4, "#f9e08a"); },
  crown(c) { shape(c, "#f2b836", () => { c.moveTo(-13, 8); c.lineTo(-14, -8); c.lineTo(-6, -1); c.lineTo(0, -12); c.lineTo(6, -1); c.lineTo(14, -8); c.lineTo(13, 8); }, "#b97a1c", 1.6); for (const [x, y, f] of [[-14, -9, "#d8442f"], [0, -13, "#4f8fd0"], [14, -9, "#d8442f"]]) dot(c, x, y, 2.4, 2.4, f); line(c, "#fbe29a", 2, [-11, 5], [11, 5]); },
  lantern(c) { dot(c, 0, 3, 15, 15, "rgba(255,210,100,.25)"); line(c, "#55483f", 2, [-5, -9], [0, -14], [5, -9]); shape(c, "#55483f", () => c.roundRect(-8, -10, 16, 4, 2)); shape(c, "#ffd970", () => c.roundRect(-7, -6, 14, 15, 3)); shape(c, "#fff3c4", () => { c.moveTo(0, -3); c.quadraticCurveTo(5, 3, 0, 7); c.quadraticCurveTo(-5, 3, 0, -3); }); shape(c, "#55483f", () => c.roundRect(-8, 8, 16, 5, 2)); },
  sword(c) { c.save(); c.rotate(0.7); shape(c, "#c99b62", () => { c.moveTo(-3, 4); c.lineTo(-3, -14); c.lineTo(0, -18); c.lineTo(3, -14); c.lineTo(3, 4); }, "#8d5d3b", 1.4); shape(c, "#7a5238", () => c.roundRect(-8, 4, 16, 4, 2)); shape(c, "#5b3d28", () => c.roundRect(-2, 7, 4, 10, 2)); c.restore(); },
  fox(c) { pet(c, "#e07a2f", "#fff1dd", "fox"); },
  owl(c) { pet(c, "#8a6a55", "#e9d9c2", "owl"); },
  dragon(c) { pet(c, "#4fa06a", "#f3d98a", "dragon"); },
};

function pet(c, body, light, kind) {
  if (kind === "fox") { c.save(); c.rotate(-0.4); dot(c, 12, 8, 9, 5, body); dot(c, 18, 8, 4, 3, light); c.restore(); }
  if (kind === "dragon") { for (const s of [-1, 1]) shape(c, "#357a50", () => { c.moveTo(s * 5, 0); c.lineTo(s * 18, -10); c.lineTo(s * 16, 2); c.lineTo(s * 11, 4); }); line(c, body, 5, [4, 11], [13, 13], [17, 9]); }
  dot(c, 0, 7, 9, 8, body); dot(c, 0, 9, 5.5, 5.5, light);
  dot(c, 0, -4, 10, 9, body);
  if (kind === "fox") { for (const s of [-1, 1]) { shape(c, body, () => { c.moveTo(s * 3, -10); c.lineTo(s * 9, -17); c.lineTo(s * 10, -5); }); } shape(c, light, () => { c.moveTo(-8, -2); c.lineTo(0, 5); c.lineTo(8, -2); c.quadraticCurveTo(0, 2, -8, -2); }); dot(c, 0, 2.6, 1.8, 1.5, "#2b2a33"); }
  if (kind === "owl") { for (const s of [-1, 1]) { shape(c, body, () => { c.moveTo(s * 3, -11); c.lineTo(s * 10, -16); c.lineTo(s * 9, -6); }); dot(c, s * 4.2, -4, 4.4, 4.4, "#fff6e4"); dot(c, s * 10, 7, 3.4, 6.5, "#6d523f"); } shape(c, "#e8a33a", () => { c.moveTo(-2, -1); c.lineTo(2, -1); c.lineTo(0, 3); }); }
  if (kind === "dragon") { for (const s of [-1, 1]) shape(c, light, () => { c.moveTo(s * 4, -11); c.lineTo(s * 8, -18); c.lineTo(s * 8, -9); }); dot(c, 0, 0, 6.5, 4, "#63b67e"); dot(c, -2, -0.5, 1, 1, "#2b5a3c"); dot(c, 2, -0.5, 1, 1, "#2b5a3c"); }
  for (const s of [-1, 1]) { dot(c, s * 4.2, -4, 1.8, 2.1, "#2b2a33"); dot(c, s * 4.2 + 0.6, -4.7, 0.6, 0.6, "#fff"); }
}

export function drawItem(c, name, x, y, size) {
  c.save();
  c.translate(x, y);
  c.scale(size / 40, size / 40);
  items[name]?.(c);
  c.restore();
}

// icon returns a canvas with an item on it.
export function icon(name, size = 96) {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = size;
  const c = canvas.getContext("2d");
  (icons[name] ?? ((d) => drawItem(d, name, size / 2, size / 2, size * 0.94)))(c, size);
  return canvas;
}

const icons = {
  bag(c, s) { c.translate(s / 2, s / 2); c.scale(s / 40, s / 40); line(c, "#6d4a33", 3, [-6, -9], [-6, -14], [6, -14], [6, -9]); shape(c, "#a8734a", () => c.roundRect(-13, -9, 26, 25, 8)); shape(c, "#c08a5a", () => c.roundRect(-13, -9, 26, 12, [8, 8, 3, 3])); shape(c, "#f2c14e", () => c.roundRect(-3, 0, 6, 7, 2)); },
  trade(c, s) { c.translate(s / 2, s / 2); c.scale(s / 40, s / 40); for (const [d, col] of [[1, "#d9622b"], [-1, "#2f7f8f"]]) { c.save(); c.scale(d, d); shape(c, col, () => { c.moveTo(-14, -9); c.lineTo(4, -9); c.lineTo(4, -14); c.lineTo(15, -6); c.lineTo(4, 2); c.lineTo(4, -3); c.lineTo(-14, -3); }); c.restore(); } },
  gift(c, s) { c.translate(s / 2, s / 2); c.scale(s / 40, s / 40); shape(c, "#3b7fae", () => c.roundRect(-13, -4, 26, 19, 3)); shape(c, "#4f97c8", () => c.roundRect(-15, -9, 30, 8, 3)); c.fillStyle = "#f2c14e"; c.fillRect(-3, -9, 6, 24); for (const d of [-1, 1]) { c.save(); c.translate(d * 5, -12); c.rotate(d * 0.5); dot(c, 0, 0, 6, 3.6, "#f2c14e"); c.restore(); } },
  slots(c, s) { c.translate(s / 2, s / 2); c.scale(s / 40, s / 40); for (const [d, col] of [[-6, "#c9b48a"], [0, "#e3d2ab"], [6, "#fff8e6"]]) shape(c, col, () => c.roundRect(-12 + d * 0.6, -12 + d, 20, 18, 3), "#8c7a52", 1.6); },
  door(c, s) { c.save(); c.translate(s / 2, s * 0.78); c.scale(s / 150, s / 150); things.door(c, { x: 0, y: 20 }, themes.amber, 0.4); c.restore(); },
  stall(c, s) { c.save(); c.translate(s / 2, s * 0.9); c.scale(s / 180, s / 180); things.stall(c, { x: 0, y: 0 }); c.restore(); },
  inside(c, s) { c.translate(s / 2, s / 2); c.scale(s / 40, s / 40); for (const [y, col] of [[-10, "#69c779"], [0, "#e9c23b"], [10, "#8fb9f0"]]) { shape(c, "#263843", () => c.roundRect(-14, y - 5, 28, 9, 3)); dot(c, -9, y - 0.5, 2.4, 2.4, col); line(c, "#7f9aa5", 2, [-3, y - 0.5], [10, y - 0.5]); } },
};

// --- heroes ---

// drawHero draws a hero with his feet at (x, y).
export function drawHero(c, a, x, y, time, walking, facing = 1) {
  const l = looks[a.look] ?? looks[0], worn = a.worn ?? {};
  const step = walking ? Math.sin(time * 11 + x * 0.01) : 0;
  const bob = walking ? Math.abs(step) * 3 : Math.sin(time * 2 + x) * 0.8;
  shadow(c, x, y + 1, 19, 7);
  c.save();
  c.translate(x, y - bob);
  c.scale(facing < 0 ? -1 : 1, 1);
  for (const s of [-1, 1]) shape(c, "#4a3427", () => c.roundRect(s * 7 - 4.5, -8 + (walking ? s * step * 3 : 0) + bob * 0.6, 10, 8, 4));
  shape(c, l.coat, () => { c.moveTo(-16, -6); c.quadraticCurveTo(-15, -30, -7, -35); c.lineTo(7, -35); c.quadraticCurveTo(15, -30, 16, -6); c.quadraticCurveTo(0, 0, -16, -6); });
  shape(c, "rgba(0,0,0,.12)", () => { c.moveTo(-16, -6); c.quadraticCurveTo(-15, -30, -7, -35); c.lineTo(-3, -35); c.quadraticCurveTo(-9, -22, -8, -4); });
  line(c, l.trim, 2.6, [-15, -8], [0, -3.4], [15, -8]);
  line(c, l.trim, 3.4, [-8, -34], [0, -31], [8, -34]);
  dot(c, -13, -19 + step * 2, 4.6, 6.6, l.coat); dot(c, -14, -13 + step * 2, 3.6, 3.6, l.skin);
  dot(c, 0, -46, 15, 14.4, l.skin);
  shape(c, l.hair, () => { c.moveTo(-15.5, -43); c.quadraticCurveTo(-18, -63, 0, -62.5); c.quadraticCurveTo(18, -63, 15.5, -44); c.quadraticCurveTo(13, -54, 4, -54); c.quadraticCurveTo(-8, -53, -11, -45); c.quadraticCurveTo(-13, -41, -15.5, -43); });
  const blink = (time * 0.31 + x * 0.013) % 1 > 0.97;
  for (const d of [0.5, 9]) blink ? line(c, "#2b2a33", 1.8, [d - 1.6, -45], [d + 1.8, -45]) : dot(c, d, -45, 1.9, 2.5, "#2b2a33");
  dot(c, -3, -40, 2.8, 1.7, "rgba(220,90,70,.35)"); dot(c, 11.5, -40, 2.4, 1.7, "rgba(220,90,70,.35)");
  line(c, "#8a4a38", 1.6, [3, -38.4], [5.4, -37.4], [7.8, -38.6]);
  if (worn.hat) drawItem(c, worn.hat, 0, worn.hat === "crown" ? -64 : -63, worn.hat === "crown" ? 32 : 44);
  dot(c, 13, -19 - step * 2, 4.6, 6.6, l.coat);
  if (worn.hand) drawItem(c, worn.hand, 19, worn.hand === "sword" ? -24 : -14 - step * 2, 30);
  dot(c, 14, -13 - step * 2, 3.6, 3.6, l.skin);
  c.restore();
}

export function drawPet(c, name, x, y, time, walking, facing = 1) {
  shadow(c, x, y + 1, 11, 4);
  const hop = name === "owl" ? 10 + 3 * Math.sin(time * 5) : walking ? Math.abs(Math.sin(time * 10)) * 5 : 0;
  c.save();
  c.translate(x, y - 14 - hop);
  c.scale(facing, 1);
  drawItem(c, name, 0, 0, 38);
  c.restore();
}

export function drawTreasure(c, t, time) {
  const lift = Math.sin(time * 2.4 + t.id) * 3;
  shadow(c, t.x, t.y + 4, 11, 4);
  c.save();
  c.translate(t.x, t.y - 12 + (t.item ? 0 : lift));
  if (!t.item) c.scale(0.25 + 0.75 * Math.abs(Math.cos(time * 1.8 + t.id)), 1);
  drawItem(c, t.item || "coin", 0, 0, t.item ? 38 : 30);
  c.restore();
  if (!t.item) { const p = (time * 0.6 + t.id * 0.37) % 1; c.globalAlpha = 1 - p; dot(c, t.x + 9, t.y - 22 - p * 9, 2.2 * (1 - p), undefined, "#fff7d6"); c.globalAlpha = 1; }
}

export function drawName(c, text, x, y, mine, where) {
  c.font = "bold 13px Trebuchet MS, Verdana, sans-serif";
  c.textAlign = "center";
  c.lineWidth = 4; c.strokeStyle = "rgba(30,43,51,.75)"; c.lineJoin = "round";
  c.strokeText(text, x, y); c.fillStyle = mine ? "#ffe08a" : where ? "#c6f0ff" : "#fff"; c.fillText(text, x, y);
}

export function face(canvas, look, worn) {
  const c = canvas.getContext("2d"), s = canvas.width;
  c.clearRect(0, 0, s, s);
  c.save();
  c.translate(s / 2, s / 2);
  c.scale(s / 50, s / 50);
  drawHero(c, { look, worn: { hat: worn?.hat } }, 0, worn?.hat ? 54 : 48, 0.5, false, 1);
  c.restore();
}
