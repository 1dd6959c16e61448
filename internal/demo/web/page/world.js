// The isle on the canvas: who walks there, what lies about, and where the player wants
// to go.

import * as art from "./art.js";

const speed = 240, bodyRadius = 13;

// An isle for the title, before any server has told of its own.
const shown = {
  name: "amber", width: 1600, height: 1100, rx: 700, ry: 460,
  things: [["stall", 560, 380, 62], ["post", 1010, 360, 26], ["door", 1330, 560, 30], ["fountain", 800, 560, 70], ["board", 640, 760, 26],
    ...Array.from({ length: 34 }, (_, i) => [["tree", "tree", "bush", "tree", "rock"][i % 5], 800 + (420 + (i % 3) * 105) * Math.cos(i * 2.4), 560 + (260 + (i % 3) * 75) * Math.sin(i * 2.4), 26])]
    .map(([kind, x, y, r]) => ({ kind, x, y, r })),
};

export class World {
  isle; // as the server says
  me = { id: "", x: 800, y: 640, worn: {}, look: 0, name: "" };
  others = new Map();
  treasures = [];
  onCollect = () => {};
  onMove = () => {};
  onNear = () => {};
  onTouch = () => {};
  #canvas; #c; #ground; #time = 0; #last = 0; #keys = new Set(); #target; #sent = 0; #asked = new Map();
  #sparks = []; #near; #zoom = 1; #view = { x: 0, y: 0, w: 1, h: 1 };
  #walking = false; #facing = 1; #trail = []; #arrived;
  shift = 0; // pixels at the right that the panel covers
  busy = true; // nobody walks

  constructor(canvas) {
    this.#canvas = canvas;
    this.#c = canvas.getContext("2d");
    addEventListener("resize", () => this.#size());
    this.#size();
    this.#listen();
    requestAnimationFrame((t) => this.#frame(t));
  }

  // enter shows an isle, with the hero at a place of it.
  enter(isle, x, y) {
    this.isle = isle;
    this.#ground = art.ground(isle, Math.min(2, devicePixelRatio || 1) > 1 ? 1.5 : 1);
    this.others.clear();
    this.treasures = [];
    this.#target = undefined;
    this.#trail = [];
    this.place(x, y);
  }

  place(x, y) { this.me.x = x; this.me.y = y; this.#view.jump = true; }

  // see takes what the server sees.
  see(sight) {
    this.treasures = sight.treasures;
    const here = new Set();
    for (const h of sight.heroes) {
      here.add(h.id);
      if (h.id === this.me.id) continue;
      const o = this.others.get(h.id);
      if (!o) this.others.set(h.id, { ...h, tx: h.x, ty: h.y, facing: 1, trail: [] });
      else Object.assign(o, { name: h.name, look: h.look, worn: h.worn, bot: h.bot, tx: h.x, ty: h.y });
    }
    for (const id of this.others.keys()) if (!here.has(id)) this.others.delete(id);
  }

  // walkTo walks to a place, around what is in the way, and says when it is reached or given up.
  walkTo(x, y) {
    this.#target = { x, y };
    return new Promise((ok) => { this.#arrived?.(); this.#arrived = ok; });
  }

  landmark(kind) { return this.isle?.things.find((g) => g.kind === kind); }

  walkToLandmark(kind) {
    const g = this.landmark(kind);
    return g ? this.walkTo(g.x, g.y + g.r + 30) : Promise.resolve();
  }

  // spark shows a text that rises from the hero.
  spark(text, item) { this.#sparks.push({ text, item, x: this.me.x, y: this.me.y - 76, born: this.#time }); }

  #size() {
    const d = Math.min(2, devicePixelRatio || 1);
    this.#canvas.width = innerWidth * d;
    this.#canvas.height = innerHeight * d;
    this.#zoom = Math.max(0.72, Math.min(1.15, Math.min(innerWidth, innerHeight * 1.4) / 980));
  }

  #listen() {
    const typing = () => /INPUT|SELECT|TEXTAREA/.test(document.activeElement?.tagName) || document.querySelector("#title:not([hidden])");
    addEventListener("keydown", (e) => { if (!typing()) this.#keys.add(e.key.toLowerCase()); });
    addEventListener("keyup", (e) => this.#keys.delete(e.key.toLowerCase()));
    addEventListener("blur", () => this.#keys.clear());
    let held = false;
    const aim = (e) => {
      const x = this.#view.x + e.clientX / this.#zoom, y = this.#view.y + e.clientY / this.#zoom;
      this.walkTo(x, y);
    };
    this.#canvas.addEventListener("pointerdown", (e) => { document.activeElement?.blur?.(); this.onTouch(); held = true; aim(e); });
    addEventListener("pointermove", (e) => { if (held) aim(e); });
    for (const end of ["pointerup", "pointercancel"]) addEventListener(end, () => { held = false; });
  }

  #direction() {
    const k = this.#keys, on = (...names) => names.some((n) => k.has(n));
    let dx = on("arrowright", "d") - on("arrowleft", "a"), dy = on("arrowdown", "s") - on("arrowup", "w");
    if (dx || dy) { this.#target = undefined; this.#arrived?.(); this.#arrived = undefined; }
    else if (this.#target) {
      dx = this.#target.x - this.me.x; dy = this.#target.y - this.me.y;
      if (Math.hypot(dx, dy) < 7) { this.#stop(); return [0, 0]; }
    }
    const n = Math.hypot(dx, dy);
    return n ? [dx / n, dy / n] : [0, 0];
  }

  #stop() { this.#target = undefined; this.#arrived?.(); this.#arrived = undefined; }

  #step(dt) {
    const [dx, dy] = this.busy ? [0, 0] : this.#direction();
    this.#walking = Boolean(dx || dy);
    if (!this.#walking) return;
    const before = { x: this.me.x, y: this.me.y };
    let x = before.x + dx * speed * dt, y = before.y + dy * speed * dt;
    for (const g of this.isle.things) { // nobody walks into things: they push him aside
      const gy = g.y + 2, far = g.r * 0.8 + bodyRadius, d = Math.hypot(x - g.x, y - gy);
      if (d < far && d > 0) {
        const side = Math.sign((x - g.x) * dy - (y - gy) * dx) || 1;
        x = g.x + ((x - g.x) / d) * far + dy * side * speed * dt * 0.5;
        y = gy + ((y - gy) / d) * far - dx * side * speed * dt * 0.5;
      }
    }
    const ex = (x - this.isle.width / 2) / this.isle.rx, ey = (y - this.isle.height / 2) / this.isle.ry, e = Math.hypot(ex, ey);
    if (e > 1) { x = this.isle.width / 2 + (ex / e) * this.isle.rx; y = this.isle.height / 2 + (ey / e) * this.isle.ry; }
    if (Math.abs(x - before.x) > 0.4) this.#facing = Math.sign(x - before.x);
    this.me.x = x; this.me.y = y;
    if (this.#target && Math.hypot(x - before.x, y - before.y) < speed * dt * 0.15) this.#stop();
  }

  #frame(now) {
    requestAnimationFrame((t) => this.#frame(t));
    const dt = Math.min(0.06, (now - this.#last) / 1000 || 0);
    this.#last = now;
    this.#time += dt;
    if (!this.isle) { this.#still(); return; }
    this.#step(dt);
    for (const o of this.others.values()) follow(o, dt);
    pets(this.me, this.#trail, dt);
    this.#tell(now);
    this.#camera(dt);
    this.#draw();
  }

  // What the server is told, and what the player is near.
  #tell(now) {
    if (this.busy) return;
    if (now - this.#sent > 90 && (this.#walking || now - this.#sent > 1000)) { this.#sent = now; this.onMove(this.me.x, this.me.y); }
    for (const t of this.treasures) {
      if (Math.hypot(t.x - this.me.x, t.y - this.me.y) < 42 && now - (this.#asked.get(t.id) ?? -5000) > 1500) {
        this.#asked.set(t.id, now);
        this.onMove(this.me.x, this.me.y);
        this.onCollect(t);
      }
    }
    let near;
    for (const g of this.isle.things) if (["stall", "post", "door", "board"].includes(g.kind) && Math.hypot(g.x - this.me.x, g.y - this.me.y) < g.r + 56) near = g.kind;
    for (const o of this.others.values()) if (!near && Math.hypot(o.x - this.me.x, o.y - this.me.y) < 70) near = o.id;
    if (near !== this.#near) { this.#near = near; this.onNear(near); }
  }

  #camera(dt) {
    const v = this.#view, z = this.#zoom;
    v.w = innerWidth / z; v.h = innerHeight / z;
    const shift = this.shift / z;
    const tx = this.me.x - (v.w - shift) / 2, ty = this.me.y - v.h / 2 - 20;
    const k = v.jump ? 1 : 1 - Math.exp(-dt * 7);
    v.x += (tx - v.x) * k; v.y += (ty - v.y) * k;
    v.jump = false;
  }

  // What is seen before anybody plays: an isle, from a boat that drifts along.
  #still() {
    this.#ground ??= art.ground(shown, 1);
    const v = this.#view, z = this.#zoom * 0.8;
    v.w = innerWidth / z; v.h = innerHeight / z;
    v.x = 800 + 260 * Math.sin(this.#time * 0.06) - v.w / 2; v.y = 560 + 60 * Math.cos(this.#time * 0.05) - v.h / 2;
    v.jump = true;
    this.#scene(shown, z, []);
  }

  // #scene draws an isle with all that stands on it and what else there is, from the back
  // to the front.
  #scene(isle, zoom, list) {
    const c = this.#c, v = this.#view, t = this.#time, d = (this.#canvas.width / innerWidth) * zoom, ground = this.#ground;
    c.setTransform(d, 0, 0, d, -v.x * d, -v.y * d);
    art.sea(c, v, isle.name, t);
    c.drawImage(ground.canvas, -ground.margin, -ground.margin, ground.canvas.width / ground.scale, ground.canvas.height / ground.scale);
    if (this.#target) { c.globalAlpha = 0.5; c.strokeStyle = "#fff"; c.lineWidth = 3; c.beginPath(); c.ellipse(this.#target.x, this.#target.y, 10 + 3 * Math.sin(t * 6), 5 + 1.5 * Math.sin(t * 6), 0, 0, 7); c.stroke(); c.globalAlpha = 1; }
    for (const g of isle.things) {
      if (g.x < v.x - 120 || g.x > v.x + v.w + 120 || g.y < v.y - 60 || g.y > v.y + v.h + 150) continue;
      // One sees the hero through what he stands behind.
      const hides = list.length && g.y > this.me.y && g.y - this.me.y < 105 && Math.abs(g.x - this.me.x) < g.r + 26;
      list.push([g.y, () => { c.globalAlpha = hides ? 0.45 : 1; art.drawThing(c, g, isle.name, t); c.globalAlpha = 1; }]);
    }
    list.sort((a, b) => a[0] - b[0]).forEach(([, draw]) => draw());
  }

  #draw() {
    const c = this.#c, v = this.#view, t = this.#time, list = [];
    for (const s of this.treasures) list.push([s.y, () => art.drawTreasure(c, s, t)]);
    for (const o of this.others.values()) list.push([o.y, () => art.drawHero(c, o, o.x, o.y, t, o.walking, o.facing)], ...petOf(c, o, o.trail, t));
    list.push([this.me.y, () => art.drawHero(c, this.me, this.me.x, this.me.y, t, this.#walking, this.#facing)], ...petOf(c, this.me, this.#trail, t));
    this.#scene(this.isle, this.#zoom, list);
    for (const o of this.others.values()) art.drawName(c, o.name, o.x, o.y - 80, false, o.bot);
    if (this.me.name) art.drawName(c, this.me.name, this.me.x, this.me.y - 80, true);
    this.#sparks = this.#sparks.filter((s) => t - s.born < 1.2);
    for (const s of this.#sparks) { const p = (t - s.born) / 1.2; c.globalAlpha = 1 - p * p; art.drawItem(c, s.item, s.x - 14, s.y - p * 46 - 5, 22); art.drawName(c, s.text, s.x + 12, s.y - p * 46, true); c.globalAlpha = 1; }
  }
}

// follow moves another hero to where the server last saw him.
function follow(o, dt) {
  const dx = o.tx - o.x, dy = o.ty - o.y, d = Math.hypot(dx, dy);
  o.walking = d > 3;
  if (Math.abs(dx) > 2) o.facing = Math.sign(dx);
  const k = d > 300 ? 1 : 1 - Math.exp(-dt * 9);
  o.x += dx * k; o.y += dy * k;
  pets(o, o.trail, dt);
}

function pets(a, trail, dt) {
  if (!a.worn?.pet) return;
  trail.x ??= a.x - 40; trail.y ??= a.y + 8;
  const dx = a.x - trail.x, dy = a.y + 6 - trail.y, d = Math.hypot(dx, dy);
  trail.walking = d > 44;
  if (d > 400) { trail.x = a.x - 40; trail.y = a.y; } else if (d > 38) { const k = Math.min(1, dt * 5) * ((d - 38) / d); trail.x += dx * k; trail.y += dy * k; trail.facing = Math.sign(dx) || 1; }
}

function petOf(c, a, trail, t) {
  return a.worn?.pet && trail.x !== undefined ? [[trail.y, () => art.drawPet(c, a.worn.pet, trail.x, trail.y, t, trail.walking, trail.facing || 1)]] : [];
}
