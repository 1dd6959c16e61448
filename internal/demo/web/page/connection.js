// The connection to a game server: deeds go there, and are answered; what is to be seen
// comes from there. What the hero owns does not: that comes by the replica.

import { token } from "./api.js";

export class Connection {
  #socket;
  #waits = new Map(); // by number: what to do with the answer
  #nr = 0;
  closed = false;

  // told has a function for each kind of message, and closed(reason).
  constructor(server, hero, from, told) {
    this.server = server;
    this.#open(hero, from, told).catch((err) => this.#end(told, String(err.message ?? err)));
  }

  async #open(hero, from, told) {
    const pass = await token(hero);
    if (this.closed) return;
    const url = new URL(`s/${this.server}/play`, location.href);
    url.protocol = url.protocol.replace("http", "ws");
    this.#socket = new WebSocket(url);
    let gone = "";
    this.#socket.onopen = () => this.#send({ do: "enter", player: hero.id, token: pass, name: hero.name, look: hero.look, from });
    this.#socket.onmessage = (e) => {
      if (this.closed) return;
      const message = JSON.parse(e.data);
      for (const kind of Object.keys(message)) {
        if (kind === "answer") this.#answered(message.answer);
        else if (kind === "gone") gone = message.gone;
        else told[kind]?.(message[kind], this);
      }
    };
    this.#socket.onclose = () => this.#end(told, gone);
  }

  #send(message) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  // at says where the hero is.
  at(x, y) { this.#send({ do: "at", x: Math.round(x * 10) / 10, y: Math.round(y * 10) / 10 }); }

  // ask asks for a deed. The answer comes when what it has changed is on disk. Without
  // an answer it is not known whether it was done: the replica shows it.
  ask(deed) {
    if (this.closed || this.#socket?.readyState !== WebSocket.OPEN) return Promise.reject(new Error("There is no connection just now."));
    const nr = ++this.#nr, began = performance.now();
    this.#send({ ...deed, nr });
    return new Promise((ok, no) => this.#waits.set(nr, { ok, no, deed, began }));
  }

  #answered(a) {
    const w = this.#waits.get(a.nr);
    this.#waits.delete(a.nr);
    if (!w) return;
    if (a.error) w.no(new Error(a.error));
    else w.ok({ ...a, took: performance.now() - w.began });
  }

  #end(told, reason) {
    if (this.closed) return;
    this.closed = true;
    for (const w of this.#waits.values()) w.no(new Error("The server went away before it answered."));
    this.#waits.clear();
    told.closed(reason, this);
  }

  // close leaves without a word.
  close() {
    this.closed = true;
    this.#socket?.close();
    for (const w of this.#waits.values()) w.no(new Error("left"));
    this.#waits.clear();
  }
}
