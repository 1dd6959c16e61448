// The side panel: who has the hero, and how far his last deeds have come on their way to
// the disk.

import { kill } from "./api.js";

const $ = (id) => document.getElementById(id);
const words = { alive: "alive", starting: "starts", killed: "killed", ended: "ended" };

export class Panel {
  #last = {};
  #root = {}; // the revision of the last root that held everything

  constructor() {
    $("closepanel").onclick = () => this.show(false);
  }

  show(is) {
    $("panel").hidden = !is;
    document.body.classList.toggle("open", is);
    this.onShow?.(is);
  }

  get shown() { return !$("panel").hidden; }

  // servers shows the game servers, and which of them has the hero.
  servers(list, mine) {
    const box = $("servers");
    for (const s of list) {
      let card = box.querySelector(`[data-name="${s.name}"]`);
      if (!card) {
        card = document.createElement("div");
        card.dataset.name = s.name;
        card.innerHTML = `<span class="dot"></span><div><b></b><small></small></div><button class="kill">kill -9</button>`;
        card.querySelector("b").textContent = s.name;
        card.querySelector("button").onclick = () => kill(s.name).catch((err) => this.log(err.message, "bad"));
        box.append(card);
      }
      card.className = `server ${s.state} ${s.name === mine ? "mine" : ""}`;
      card.querySelector("small").textContent = words[s.state] + (s.pid ? `, process ${s.pid}` : "") + (s.name === mine ? " — you are here" : "");
      card.querySelector("button").hidden = s.state !== "alive";
    }
  }

  // inside shows what the server and the database say of the hero.
  inside(i, server) {
    this.#number("p-memory", "l-memory", i.memory);
    this.#number("p-journal", "l-journal", i.journal);
    if (i.saved) this.#root = { version: i.version, revision: i.journal };
    $("p-root").textContent = this.#root.version === i.version ? this.#root.revision : "…";
    $("p-server").textContent = server;
    $("p-version").textContent = "…" + i.version;
    $("p-saved").textContent = i.saved ? `all of it, ${age(i.root_age_ms)} ago` : `older, of ${age(i.root_age_ms)} ago: the journal has the rest`;
    $("p-owner").textContent = i.owner || "nobody";
    $("p-lease").textContent = "…" + (i.lease ?? "");
    $("p-session").textContent = "…" + (i.session ?? "");
    $("p-since").textContent = `for ${age(i.since_ms)}`;
    $("l-memory").className = "is";
    $("l-journal").classList.toggle("is", i.journal >= i.memory);
    $("l-journal").classList.toggle("behind", i.journal < i.memory);
    $("l-root").className = i.saved ? "is" : "behind";
  }

  #number(id, row, value) {
    $(id).textContent = value;
    if (this.#last[id] !== value) {
      this.#last[id] = value;
      $(row).classList.remove("new");
      void $(row).offsetWidth; // so that the glow begins anew
      $(row).classList.add("new");
    }
  }

  ack(text) { $("p-ack").textContent = text; }
  page(text) { $("p-page").textContent = text; }

  log(text, kind = "") {
    const li = document.createElement("li");
    li.textContent = text;
    li.className = kind;
    li.dataset.at = new Date().toLocaleTimeString([], { hour12: false });
    $("log").prepend(li);
    while ($("log").children.length > 40) $("log").lastChild.remove();
  }
}

function age(ms) {
  if (ms < 950) return `${Math.max(0, Math.round(ms / 100)) / 10} s`;
  return ms < 90_000 ? `${Math.round(ms / 1000)} s` : `${Math.round(ms / 60_000)} min`;
}
