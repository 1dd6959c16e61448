// The game: it joins what the player does, what the servers say, and what is shown.

import { Client } from "./replica/holdfast-replica.js";
import * as api from "./api.js";
import { face, icon, looks } from "./art.js";
import { Connection } from "./connection.js";
import { Dialogs, el } from "./dialogs.js";
import { Panel } from "./panel.js";
import { note } from "./sound.js";
import { World } from "./world.js";

const $ = (id) => document.getElementById(id);
const pause = (ms) => new Promise((ok) => setTimeout(ok, ms));

class Game {
  hero; // { id, key, name, look }
  server = "";
  wares = []; products = []; deals = []; folk = []; slots = []; servers = [];
  acked = 0; // the revision of the last deed that was answered
  world = new World($("world"));
  panel = new Panel();
  dialogs = new Dialogs(this);
  state; // the replica's client
  #connection; #owned; #trip; #inside;

  constructor() {
    this.world.onMove = (x, y) => this.#connection?.at(x, y);
    this.world.onCollect = (t) => this.#collect(t);
    this.world.onTouch = () => this.dialogs.close();
    this.world.onNear = (what) => this.#prompt(what);
    this.panel.onShow = (is) => { this.world.shift = is && innerWidth > 760 ? 340 : 0; sessionStorage.panel = is ? "" : "closed"; };
    api.servers((list) => this.#serversChanged(list));
    this.#bar();
  }

  // --- what the hero has, from the replica ---

  coins() { return this.state?.get("coins") ?? 0; }
  gems() { return this.state?.get("gems") ?? 0; }
  letters() { return this.state?.get("letters") ?? []; }
  bag() { return entries(this.state?.get("bag")); }
  worn() { return entries(this.state?.get("worn")); }

  // play begins with a hero, wherever he is.
  play(hero) {
    this.hero = hero;
    remember(hero);
    $("title").hidden = true;
    this.world.me = { ...this.world.me, id: hero.id, name: hero.name, look: hero.look, worn: {} };
    this.state = new Client(() => `s/${this.server}/replica`, hero.id, { token: () => api.token(hero), firstPause: 100, longestPause: 800 });
    this.state.loaded(() => this.#ownedChanged());
    for (const field of ["coins", "gems", "bag", "worn", "letters"]) this.state.updated(field, () => this.#fieldChanged(field));
    this.state.connected((is, why) => { this.panel.page(is ? `follows ${this.server}` : "looks for the hero"); if (!is && why?.reason) this.panel.log(`the replica ended: ${why.reason}`); });
    this.#travel(localStorageGet("server-" + hero.id), "");
  }

  // #travel brings the hero to a server, or to one that is there.
  async #travel(server, from, trip = { began: performance.now() }) {
    this.#connection?.close();
    this.world.busy = true;
    this.#trip = trip;
    while (this.#trip === trip) {
      const there = this.servers.filter((s) => s.state === "alive").map((s) => s.name);
      const to = there.includes(server) ? server : there[0];
      if (to) {
        this.server = to;
        this.panel.servers(this.servers, to);
        this.#connection = new Connection(to, this.hero, from, this.#told());
        return;
      }
      this.#veil("Looking for a server …", "");
      await pause(200);
    }
  }

  #told() {
    return {
      welcome: (w, c) => this.#welcome(w, c),
      waiting: (w) => this.#veil(`${this.server} waits for ${w.server}`, this.#trip?.lost ? `Its lease is over in ${(w.within_ms / 1000).toFixed(1)} s. Then ${this.server} replays its journal.` : `${w.server} saves and hands the hero over.`),
      see: (s) => this.world.see(s),
      folk: (f) => { this.folk = f; if (["trade", "gift"].includes(this.dialogs.open?.name)) this.dialogs.refresh(); },
      slots: (s) => { this.slots = s; if (this.dialogs.open?.name === "slots") this.dialogs.refresh(); },
      offer: (o) => { this.dialogs.show("asked", o); note(520, 660); },
      news: (text) => this.toast(text, "good"),
      inside: (i) => { this.#inside = i; this.panel.inside(i, this.server); },
      save: (s) => this.panel.log(s.error ? `save failed: ${s.error}` : `saved (${s.cause}): ${s.bytes} bytes, version …${s.version}`, s.error ? "bad" : ""),
      back: ([x, y]) => this.world.place(x, y),
      closed: (reason, c) => this.#closed(reason, c),
    };
  }

  #welcome(w, c) {
    if (c !== this.#connection) return;
    const trip = this.#trip;
    this.wares = w.wares; this.products = w.products; this.deals = w.deals;
    localStorageSet("server-" + this.hero.id, w.server);
    this.world.enter(w.isle, w.x, w.y);
    this.world.busy = false;
    for (const id of ["hud", "bar"]) $(id).hidden = false;
    if (innerWidth > 760 && sessionStorage.panel !== "closed" && !this.panel.shown) this.panel.show(true);
    $("heroname").textContent = this.hero.name;
    $("where").textContent = `${w.isle.title}, server ${w.server}`;
    this.panel.servers(this.servers, w.server);
    this.panel.log(`${w.server} opened ${this.hero.name} in ${w.took_ms} ms` + (w.held ? `, ${w.held} had him` : "") + `, revision ${w.revision}`, "good");
    if (trip?.lost) this.#saved(w, trip);
    else $("veil").hidden = true;
    if (w.fresh) this.toast("Walk with the arrow keys, or tap where you want to go.");
    this.#trip = undefined;
    this.#ownedChanged();
    this.world.me.worn = wornByPlace(this.worn());
  }

  // #saved says what has become of the hero after his server was lost.
  #saved(w, trip) {
    const kept = w.revision >= trip.acked, took = ((performance.now() - trip.began) / 1000).toFixed(1);
    this.panel.log(`acknowledged up to revision ${trip.acked}, found revision ${w.revision}: ${kept ? "nothing is lost" : "SOMETHING IS LOST"}`, kept ? "good" : "bad");
    $("card").replaceChildren(
      el("h2", {}, `${w.server} has you now`), el("p", {}, `${trip.lost} is gone. ${trip.lost === w.server ? "A new process" : w.server} waited for the end of its lease, and replayed its journal.`),
      el("table", {}, row("acknowledged to you", "revision " + trip.acked), row("found on disk", "revision " + w.revision), row("without a server for", took + " s")),
      el("p", { class: "big", id: "verdict" }, kept ? "Nothing is lost." : "Something is lost!"),
      el("button", { class: "primary", id: "goon", on: () => { $("veil").hidden = true; } }, "Go on"));
    $("veil").hidden = false;
    note(392, 494, 587);
    setTimeout(() => { if ($("goon")) $("veil").hidden = true; }, 9000);
  }

  // #closed goes on elsewhere when a connection has ended.
  async #closed(reason, c) {
    if (c !== this.#connection) return;
    this.world.busy = true;
    if (/^elsewhere|login|a hero has/.test(reason)) { this.#leave(reason); return; }
    const lost = c.server;
    const trip = this.#trip?.lost ? this.#trip : { lost, acked: this.acked, began: performance.now() };
    this.#trip = trip;
    if (!reason) { this.panel.log(`the connection to ${lost} broke`, "bad"); note(220, 165); }
    this.#veil(reason ? `${lost}: ${reason}` : `${lost} is gone!`, "Looking for a server that is there …");
    await pause(reason ? 400 : 250);
    if (this.#trip === trip) this.#travel(lost, trip.lost === this.server ? "" : lost, trip);
  }

  // hop goes through the door.
  async hop() {
    await this.world.walkToLandmark("door");
    await pause(150);
    const a = await this.act({ do: "door" });
    if (!a?.go) return;
    this.panel.log(`through the door from ${this.server} to ${a.go}`);
    this.#veil("Through the door …", "");
    note(440, 550, 660);
    this.#travel(a.go, this.server);
  }

  // act asks the server for a deed. It returns the answer, or nothing if that is an error.
  async act(deed, well = "") {
    try {
      const a = await this.#connection.ask(deed);
      if (a.revision) {
        this.acked = a.revision;
        this.panel.ack(`${deed.do}: on disk as revision ${a.revision}, ${Math.round(a.took)} ms`);
        this.panel.log(`${deed.do} → on disk, revision ${a.revision}, ${Math.round(a.took)} ms`);
      }
      if (a.text || well) { this.toast(a.text || well, "good"); note(523, 659); }
      return a;
    } catch (err) {
      if (err.message !== "left") this.toast(err.message, "bad");
      return undefined;
    }
  }

  async #collect(t) {
    const a = await this.act({ do: "collect", id: t.id });
    if (a) { this.world.spark("+1", t.item || "coin"); note(t.item ? 587 : 784, t.item ? 740 : 988); }
  }

  // --- what is shown ---

  #serversChanged(list) {
    const before = new Map(this.servers.map((s) => [s.name, s.state]));
    this.servers = list;
    this.panel.servers(list, this.server);
    for (const s of list) {
      if (before.has(s.name) && before.get(s.name) !== s.state) this.panel.log(`${s.name} is ${s.state}${s.state === "alive" ? ", process " + s.pid : ""}`, s.state === "killed" ? "bad" : "");
    }
  }

  #fieldChanged(field) {
    if (field === "letters" && this.#owned) {
      const known = new Set(this.#owned.letters.map((l) => l.id));
      for (const l of this.letters()) if (!known.has(l.id)) { this.toast(`A gift from ${l.from}!`, "good"); note(659, 784, 988); }
    }
    this.#ownedChanged();
  }

  #ownedChanged() {
    this.#owned = { letters: this.letters() };
    $("coins").textContent = this.coins();
    $("gems").textContent = this.gems();
    this.world.me.worn = wornByPlace(this.worn());
    face($("face"), this.hero.look, this.world.me.worn);
    if (this.dialogs.open && !["offer", "asked", "gift"].includes(this.dialogs.open.name)) this.dialogs.refresh();
  }

  portrait(look) {
    const c = el("canvas", { width: 80, height: 80 });
    face(c, look, {});
    return c;
  }

  toast(text, kind = "") {
    const t = el("div", { class: "toast " + kind }, text);
    $("toasts").append(t);
    while ($("toasts").children.length > 3) $("toasts").firstChild.remove();
    setTimeout(() => t.remove(), 3200);
  }

  log(text, kind) { this.panel.log(text, kind); }

  #veil(title, text) {
    $("card").replaceChildren(el("h2", {}, title), el("div", { class: "wheel" }), el("p", {}, text));
    $("veil").hidden = false;
  }

  #prompt(what) {
    const p = $("prompt");
    const texts = { stall: "Look at the stall", post: "Letters and gifts", door: "Go through the door", board: "Save slots" };
    const deeds = { stall: () => this.dialogs.show("stall"), post: () => this.dialogs.show("gift"), door: () => this.hop(), board: () => this.dialogs.show("slots") };
    const other = this.world.others.get(what);
    p.hidden = !texts[what] && !other;
    p.textContent = texts[what] ?? (other ? `Trade with ${other.name}` : "");
    p.onclick = deeds[what] ?? (() => (other.bot ? this.dialogs.show("trade") : this.dialogs.show("offer", other)));
  }

  #bar() {
    const buttons = [["bag", "Bag"], ["stall", "Shop"], ["trade", "Trade"], ["gift", "Gifts"], ["slots", "Slots"]];
    const add = (name, title, on) => $("bar").append(el("button", { id: "b-" + name, on }, icon(name), title));
    for (const [name, title] of buttons) add(name, title, () => this.dialogs.show(name));
    add("door", "Door", () => this.hop());
    add("inside", "Inside", () => this.panel.show(!this.panel.shown));
    for (const [id, name] of [["coinicon", "coin"], ["gemicon", "gem"]]) $(id).getContext("2d").drawImage(icon(name, 48), 0, 0);
    addEventListener("keydown", (e) => { if (e.key === "e" && !$("prompt").hidden && !this.dialogs.open) $("prompt").click(); });
  }

  #leave(reason) {
    this.#trip = undefined;
    this.state.close();
    sessionStorage.removeItem("hero");
    $("complaint").textContent = reason.replace(/^\w+: /, "");
    $("veil").hidden = true;
    $("title").hidden = false;
  }
}

const row = (a, b) => el("tr", {}, el("td", {}, a), el("td", {}, b));

// entries reads an inventory as it is stored: an object with an element for each entry.
function entries(stored) {
  return Object.entries(stored ?? {}).map(([key, e]) => ({ key, item: key.split("#")[0], n: e.n ?? 1, at: e.at })).sort((a, b) => (a.key < b.key ? -1 : 1));
}

function wornByPlace(list) { return Object.fromEntries(list.map((e) => [e.at, e.item])); }

// --- the title ---

function localStorageGet(key) { try { return localStorage.getItem(key) ?? ""; } catch { return ""; } }
function localStorageSet(key, value) { try { localStorage.setItem(key, value); } catch { /* private windows may refuse */ } }
function heroes() { try { return JSON.parse(localStorageGet("heroes") || "[]"); } catch { return []; } }

function remember(hero) {
  sessionStorage.setItem("hero", JSON.stringify(hero));
  localStorageSet("heroes", JSON.stringify([hero, ...heroes().filter((h) => h.id !== hero.id)].slice(0, 4)));
}

function title(game) {
  let look = Math.floor(Math.random() * 4); // the traders have the others
  const choose = (n) => { look = n; [...$("looks").children].forEach((b, i) => b.setAttribute("aria-checked", i === n)); };
  looks.forEach((_, n) => $("looks").append(el("button", { type: "button", role: "radio", "aria-label": "look " + (n + 1), on: () => choose(n) }, game.portrait(n))));
  choose(look);
  $("begin").addEventListener("submit", async (e) => {
    e.preventDefault();
    const name = $("name").value.trim();
    if (!name) return;
    try {
      game.play({ ...(await api.newHero()), name, look });
    } catch (err) {
      $("complaint").textContent = err.message;
    }
  });
  const known = heroes();
  if (known.length) $("again").append("or go on as ", ...known.map((h) => el("button", { on: () => game.play(h) }, h.name)));
}

const game = new Game();
globalThis.game = game; // for the console, and for tests
title(game);
const back = sessionStorage.getItem("hero");
if (back) game.play(JSON.parse(back));
