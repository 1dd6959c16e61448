import assert from "node:assert/strict";
import { test } from "node:test";
import { FrameError, GapError, EndedError, Replica } from "@holdfast-games/replica";

/** Numbers by chance that are the same in each run: mulberry32. */
function dice(seed) {
  const next = () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (n) => Math.floor(next() * n);
  return { next, below, of: (list) => list[below(list.length)] };
}

const names = ["", "a", "b", "~", "/", "~1", "__proto__", "constructor", "type", "rev", "fields", "ops", "op", "path", "value", "epoch", "ping", "error", "reason"];
const texts = [...names, "state", "resumed", "change", "saved", "ping", "end", "add", "remove", "replace", "/a", "/a/b", "/__proto__", "/~1/~0", "/~2"];

/** Any value of JSON. */
function value(d, depth = 4) {
  switch (d.below(depth > 0 ? 8 : 6)) {
    case 0: return null;
    case 1: return d.next() < 0.5;
    case 2: return d.of([0, 1, -1, 2, 3, 1.5, 1e300, 2 ** 53, -0]);
    case 3: case 4: case 5: return d.of(texts);
    case 6: return Array.from({ length: d.below(4) }, () => value(d, depth - 1));
    default: return object(d, depth - 1);
  }
}

function object(d, depth) {
  const o = {};
  for (let i = d.below(5); i > 0; i--) {
    Object.defineProperty(o, d.of(names), { value: value(d, depth), enumerable: true, configurable: true, writable: true });
  }
  return o;
}

/** Something like a frame. */
function frame(d) {
  const f = { ...object(d, 2), type: d.of(["state", "resumed", "change", "saved", "ping", "end", "new"]), rev: d.below(4), ping: 1000 };
  if (d.next() < 0.7) f.epoch = "E";
  if (d.next() < 0.7) f.fields = object(d, 3);
  if (d.next() < 0.7) f.ops = Array.from({ length: d.below(3) }, () => ({ op: d.of(["add", "remove"]), path: d.of(texts.slice(-5)), value: value(d, 2) }));
  return JSON.stringify(f);
}

/** A text with some of it changed. */
function spoil(d, text) {
  for (let i = d.below(4); i >= 0; i--) {
    const at = d.below(text.length);
    text = text.slice(0, at) + d.of(["", '"', "{", "}", "[", ",", "\\", "\u0000", "\ud800", "9", text.slice(d.below(text.length))]) + text.slice(at + d.below(3));
  }
  return text;
}

const kinds = {
  "any bytes": (d) => String.fromCharCode(...Array.from({ length: d.below(40) }, () => d.below(d.next() < 0.5 ? 128 : 65536))),
  "any JSON": (d) => JSON.stringify(value(d)),
  "anything like a frame": frame,
  "spoilt frames": (d) => spoil(d, frame(d)),
};

const seen = (r) => JSON.stringify([[...r.fields()], r.loadError, r.saveError, r.hasLoaded]);

for (const [kind, make] of Object.entries(kinds)) {
  test(`${kind} are applied, or refused by name with nothing changed`, () => {
    const d = dice(kind.length);
    const outcomes = new Map();
    let r = new Replica();
    for (let i = 0; i < 4_000; i++) {
      if (i % 20 === 0) {
        r = new Replica();
        r.apply('{"type":"state","epoch":"E","rev":0,"ping":1000,"fields":{"a":{"b":1},"/":{},"__proto__":{"x":1}}}');
      }
      const text = make(d);
      const before = seen(r);
      let outcome = "applied";
      try {
        r.apply(text);
      } catch (error) {
        assert.ok(error instanceof FrameError || error instanceof GapError || error instanceof EndedError, `${text}: ${error.stack}`);
        assert.equal(seen(r), before, text);
        outcome = error.name;
      }
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    }
    assert.ok((outcomes.get("FrameError") ?? 0) > 40, JSON.stringify([...outcomes]));
    assert.equal(Object.keys(Object.prototype).length, 0);
  });
}

test("changes by chance come to what a simpler model comes to", () => {
  const d = dice(7);
  const r = new Replica();
  const escaped = (name) => name.replaceAll("~", "~0").replaceAll("/", "~1");
  const model = new Map();
  r.apply('{"type":"state","epoch":"E","rev":0,"ping":1000,"fields":{}}');
  for (let rev = 1; rev <= 1500; rev++) {
    const ops = [];
    for (let i = d.below(4); i >= 0; i--) {
      const name = d.of(names);
      const field = model.get(name);
      if (field instanceof Map && d.next() < 0.7) {
        const element = d.of(names);
        const path = `/${escaped(name)}/${escaped(element)}`;
        if (field.has(element) && d.next() < 0.4) {
          field.delete(element);
          ops.push({ op: "remove", path });
        } else {
          field.set(element, rev);
          ops.push({ op: "add", path, value: rev });
        }
      } else if (field !== undefined && d.next() < 0.3) {
        model.delete(name);
        ops.push({ op: "remove", path: `/${escaped(name)}` });
      } else {
        const object = d.next() < 0.7;
        model.set(name, object ? new Map() : rev);
        ops.push({ op: "add", path: `/${escaped(name)}`, value: object ? {} : rev });
      }
    }
    r.apply(JSON.stringify({ type: "change", rev, ops }));
    const sorted = (entries) => [...entries].sort(([a], [b]) => (a < b ? -1 : 1));
    const got = sorted(r.fields()).map(([name, v]) => [name, typeof v === "object" ? sorted(Object.entries(v)) : v]);
    const want = sorted(model).map(([name, v]) => [name, v instanceof Map ? sorted(v) : v]);
    assert.deepEqual(got, want);
  }
});
