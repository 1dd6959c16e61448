import { mock } from "node:test";

/** A WebSocket without a network: what the client does is noted, and the test is the server. */
export class FakeSocket {
  static all = [];
  static get last() {
    return FakeSocket.all.at(-1);
  }

  protocol = "";
  bufferedAmount = 0;
  binaryType = "blob";
  onopen = null;
  onmessage = null;
  onclose = null;
  onerror = null;
  sent = [];
  closed = undefined;

  constructor(url, protocols) {
    this.url = url;
    this.protocols = protocols;
    FakeSocket.all.push(this);
  }

  send(text) {
    this.sent.push(JSON.parse(text));
  }

  close(code) {
    this.closed ??= code;
  }

  open(protocol = this.protocols[0]) {
    this.protocol = protocol;
    this.onopen?.({});
  }

  /** Sends frames: texts as they are, anything else as JSON. */
  says(...frames) {
    for (const frame of frames) {
      this.onmessage?.({ data: typeof frame === "string" || frame instanceof ArrayBuffer ? frame : JSON.stringify(frame) });
    }
  }

  ends(code, reason = "") {
    this.onerror?.({});
    this.onclose?.({ code, reason });
  }
}

/** Has a test own the time. Returns what lets it pass. */
export function ownTime(t) {
  FakeSocket.all = [];
  mock.timers.enable({ apis: ["setTimeout", "Date"] });
  mock.method(performance, "now", () => Date.now());
  mock.method(Math, "random", () => 0.5);
  t.after(() => {
    mock.timers.reset();
    mock.restoreAll();
  });
  return async (ms) => {
    mock.timers.tick(ms);
    await settled();
  };
}

/** Lets everything that is ready run. */
export function settled() {
  return new Promise((resolve) => setImmediate(resolve));
}

export const state = (over = {}) => ({ type: "state", epoch: "E1", rev: 0, ping: 1000, fields: { coins: 1 }, ...over });
export const change = (rev, ...ops) => ({ type: "change", rev, ops });
export const add = (path, value) => ({ op: "add", path, value });
export const remove = (path) => ({ op: "remove", path });
