// The dialogs: bag, stall, trade, gift, save slots, the shop.

import { buyProduct } from "./api.js";
import { icon } from "./art.js";

const box = document.getElementById("dialog");
addEventListener("keydown", (e) => { if (e.key === "Escape") box.close(); });

// el makes an element: el("b", { class: "n" }, "text", child, …).
export function el(tag, attributes = {}, ...children) {
  const e = document.createElement(tag);
  for (const [k, v] of Object.entries(attributes)) {
    if (k === "on") e.addEventListener(tag === "form" ? "submit" : tag === "select" ? "change" : "click", v);
    else if (v === true) e.setAttribute(k, "");
    else if (v !== undefined && v !== false) e.setAttribute(k, v);
  }
  e.append(...children.filter((c) => c !== undefined && c !== false));
  return e;
}

export class Dialogs {
  #game; #shown;
  #html = ""; // of what is shown

  constructor(game) {
    this.#game = game;
    box.addEventListener("close", () => { this.#shown = undefined; this.#html = ""; });
  }

  close() { box.close(); }
  get open() { return this.#shown; }

  // show shows a dialog, and again when something has changed.
  show(name, ...args) {
    this.#shown = { name, args };
    this.refresh();
    if (!box.open) box.show(); // not as a modal one: what happens beside it is worth seeing
    box.scrollTop = 0;
  }

  refresh() {
    if (!this.#shown) return;
    const next = el("div", {}, el("button", { class: "x", "aria-label": "Close", on: () => box.close() }, "×"), ...this[this.#shown.name](...this.#shown.args));
    if (this.#html === next.innerHTML) return; // so that nothing is replaced under a finger
    this.#html = next.innerHTML;
    const typed = new Map([...box.querySelectorAll("input,select")].map((i) => [i.name, i.value]));
    box.replaceChildren(...next.childNodes);
    for (const i of box.querySelectorAll("input,select")) if (typed.has(i.name) && typed.get(i.name) !== "") i.value = typed.get(i.name);
  }

  #ware(name) { return this.#game.wares.find((w) => w.name === name) ?? { name, title: name }; }

  bag() {
    const g = this.#game, worn = g.worn();
    return [
      el("h2", {}, "Your bag"), el("p", {}, "Tap something to wear it, or to put it back."),
      el("div", { class: "grid" }, ...["hat", "hand", "pet"].map((place) => {
        const e = worn.find((w) => w.at === place);
        return e ? el("button", { class: "slot", "data-place": place, on: () => g.act({ do: "unwear", place }) }, icon(e.item), this.#ware(e.item).title, el("em", {}, "worn"))
          : el("div", { class: "slot empty" }, place);
      })),
      el("div", { class: "grid" }, ...g.bag().map((e) => {
        const w = this.#ware(e.item);
        return el("button", { class: "slot", "data-item": e.item, disabled: !w.place, on: () => g.act({ do: "wear", key: e.key }) }, icon(e.item), w.title, e.n > 1 && el("b", { class: "n" }, "×" + e.n));
      }), g.bag().length === 0 && el("div", { class: "slot empty" }, "nothing yet")),
    ];
  }

  stall() {
    const g = this.#game;
    return [
      el("h2", {}, "The stall"), el("p", {}, "What you buy is on disk before it is in your bag."),
      el("div", { class: "grid" }, ...g.wares.filter((w) => w.coins || w.gems).map((w) =>
        el("button", { class: "slot", "data-buy": w.name, disabled: g.coins() < (w.coins ?? 0) || g.gems() < (w.gems ?? 0), on: () => g.act({ do: "buy", item: w.name }, w.title + " bought.") },
          icon(w.name), w.title, el("em", {}, w.coins ? w.coins + " coins" : w.gems + " gems")))),
      el("h2", {}, "For (no) money"), el("p", {}, "The test shop tells the game of each purchase twice. You get it once."),
      ...g.products.map((p) => el("div", { class: "row" }, icon(p.name.startsWith("gems") ? "gem" : p.name), el("span", {}, el("b", {}, p.title), el("small", {}, p.price + " of play money")),
        el("button", { class: "primary", "data-product": p.name, on: (e) => this.#pay(p, e.currentTarget) }, "Buy"))),
    ];
  }

  async #pay(p, button) {
    button.disabled = true;
    const order = Math.random().toString(36).slice(2, 12);
    try {
      const b = await buyProduct(this.#game.hero, p.name, order);
      this.#game.toast(b ? `${p.title}: the game was told ${b.told} times, and has granted it once.` : "Paid: it comes later.", "good");
      this.#game.log(b ? `purchase ${b.purchase.slice(-10)} told ${b.told}×, granted once` : "a purchase comes later", "good");
    } catch (err) {
      this.#game.toast(err.message, "bad");
    }
    button.disabled = false;
  }

  #parcel(name, mine) {
    const g = this.#game;
    const choices = mine ? [...new Map(g.bag().map((e) => [e.item, this.#ware(e.item)])).values()] : g.wares;
    return el("div", { class: "form" },
      el("label", {}, mine ? "You give" : "You get"), el("select", { name: name + "-item" }, el("option", { value: "" }, "no item"), ...choices.map((w) => el("option", { value: w.name }, w.title))),
      el("input", { name: name + "-n", type: "number", min: 1, max: 100, value: 1, "aria-label": "how many" }),
      el("label", {}, "and"), el("span", {}, "coins"), el("input", { name: name + "-coins", type: "number", min: 0, max: 100000, value: 0, "aria-label": "coins" }));
  }

  #read(name) {
    const value = (n) => box.querySelector(`[name=${name}-${n}]`)?.value ?? "";
    const item = value("item");
    return { coins: Number(value("coins")) || 0, ...(item ? { item, n: Number(value("n")) || 1 } : {}) };
  }

  #person(p, button) {
    return el("div", { class: "row", "data-person": p.id }, this.#game.portrait(p.look), el("span", {}, el("b", {}, p.name), el("small", {}, (p.bot ? "trader, " : "") + (p.server ? `on ${p.server}` : "not here now"))), button);
  }

  #say(p) { return p.item ? `${p.n} × ${this.#ware(p.item).title}${p.coins ? ` and ${p.coins} coins` : ""}` : `${p.coins ?? 0} coins`; }

  trade() {
    const g = this.#game;
    const has = (p) => g.bag().filter((e) => e.item === p.item).reduce((n, e) => n + e.n, 0) >= (p.n ?? 0);
    return [
      el("h2", {}, "Trade"), el("p", {}, "Both sides change hands together, or not at all — also between two servers."),
      ...g.deals.map((d) => {
        const who = g.folk.find((p) => p.id === d.with) ?? { id: d.with, name: d.with, look: 0, bot: true };
        return el("div", { class: "row" }, icon(d.give.item), el("span", {}, el("b", {}, `${this.#say(d.give)} → ${this.#say(d.want)}`), el("small", {}, `${who.name}, ${who.server ? "on " + who.server : "not here now"}`)),
          el("button", { class: "primary", "data-deal": d.with + "-" + d.give.item, disabled: !has(d.give), on: () => g.act({ do: "offer", to: d.with, give: d.give, want: d.want }) }, "Trade"));
      }),
      el("h2", {}, "With others"),
      ...g.folk.filter((p) => p.id !== g.hero.id && p.server).map((p) => this.#person(p, el("button", { "data-trade": p.id, on: () => this.show("offer", p) }, "Make an offer"))),
      g.folk.every((p) => p.bot || p.id === g.hero.id || !p.server) && el("p", {}, "Nobody else plays just now. Open this page in another tab to play with yourself."),
    ];
  }

  offer(p) {
    return [
      el("h2", {}, "An offer to " + p.name), el("p", {}, "The other one is asked, and says yes or no."),
      this.#parcel("give", true), this.#parcel("want", false),
      el("div", { class: "buttons" }, el("button", { class: "primary", id: "makeoffer", on: () => { this.#game.act({ do: "offer", to: p.id, give: this.#read("give"), want: this.#read("want") }); box.close(); } }, "Offer it")),
    ];
  }

  asked(o) {
    const reply = (yes) => { this.#game.act({ do: "reply", offer: o.id, yes }); box.close(); };
    return [
      el("h2", {}, o.name + " wants to trade"),
      el("p", {}, "You get ", el("b", {}, this.#say(o.give)), " and give ", el("b", {}, this.#say(o.want)), "."),
      el("div", { class: "buttons" }, el("button", { on: () => reply(false) }, "No"), el("button", { class: "primary", id: "accept", on: () => reply(true) }, "Trade")),
    ];
  }

  gift() {
    const g = this.#game;
    return [
      el("h2", {}, "Letters"), ...g.letters().map((l) => el("div", { class: "row" }, icon(l.goods.item || "coin"), el("span", {}, el("b", {}, `${this.#say(l.goods)} from ${l.from}`), l.text && el("small", {}, l.text)))),
      g.letters().length === 0 && el("p", {}, "No letters yet."),
      el("h2", {}, "Send a gift"), el("p", {}, "Also to who is on the other isle, or has left: it waits there."),
      el("div", { class: "form" }, el("label", {}, "Coins"), el("span", {}), el("input", { name: "gift-coins", type: "number", min: 0, max: 100000, value: 1 })),
      ...g.folk.filter((p) => p.id !== g.hero.id).map((p) => this.#person(p, el("button", { "data-gift": p.id, on: () => g.act({ do: "gift", to: p.id, give: { coins: Number(box.querySelector("[name=gift-coins]").value) || 0 }, text: "for you!" }) }, "Send"))),
    ];
  }

  slots() {
    const g = this.#game;
    return [
      el("h2", {}, "Save slots"), el("p", {}, "Each has coins, a bag and clothes of its own. Gems and letters are yours in all of them."),
      ...g.slots.map((s) => el("div", { class: "row" }, icon("coin"), el("span", {}, el("b", {}, s.name), el("small", {}, `${s.loaded ? g.coins() : s.coins} coins`)),
        s.loaded ? el("em", {}, "you play this") : el("button", { "data-slot": s.id, on: () => g.act({ do: "slot", slot: s.id }, s.name + " loaded.") }, "Load"))),
      g.slots.length < 3 && el("div", { class: "buttons" }, el("button", { class: "primary", id: "newslot", on: () => g.act({ do: "newslot", text: "Slot " + (g.slots.length + 1) }, "A new game in a slot of its own.") }, "Begin a new one")),
    ];
  }
}
