import assert from "node:assert/strict";
import { test } from "node:test";
import { EndedError, FrameError, GapError, Replica } from "@holdfast-games/replica";
import { add, change, remove, settled, state } from "./fake.js";

/** Returns a replica that frames were applied to, and what was told of some fields. */
function replica(frames = [], options = undefined) {
  const r = new Replica(options);
  const say = (...all) => all.forEach((f) => r.apply(JSON.stringify(f)));
  say(...frames);
  return { r, say, has: () => plain(r) };
}

/** What a replica has, as ordinary objects. */
function plain(r) {
  return Object.fromEntries([...r.fields()].map(([name, value]) => [name, JSON.parse(JSON.stringify(value))]));
}

test("before the first state there is nothing", () => {
  const { r } = replica();
  assert.equal(r.hasLoaded, false);
  assert.equal(r.get("coins"), undefined);
  assert.equal(r.fields().size, 0);
  assert.equal(r.resume(), undefined);
});

test("a state is everything, and loaded is told once", () => {
  const { r, say } = replica();
  let loaded = 0;
  r.loaded(() => loaded++);
  r.updated("coins", () => assert.fail("the first state is no update"));
  say(state({ loadError: "damaged", saveError: "failed" }));
  assert.deepEqual([r.hasLoaded, r.loadError, r.saveError, r.get("coins"), loaded], [true, "damaged", "failed", 1, 1]);
  assert.deepEqual(r.resume(), { epoch: "E1", rev: 0 });
  say(state({ epoch: "E2" }));
  assert.deepEqual([r.loadError, r.saveError, loaded], [undefined, undefined, 1]);
});

test("a later state tells of those fields only that are other than before", () => {
  const { r, say } = replica([state({ fields: { a: 1, b: { x: [1, { y: 2 }] }, c: 3 } })]);
  const told = [];
  for (const name of ["a", "b", "c", "d"]) {
    r.updated(name, (value) => told.push([name, value]));
  }
  const before = r.get("b");
  say(state({ rev: 9, fields: { a: 2, b: { x: [1, { y: 2 }] }, d: null } }));
  assert.deepEqual(told, [["a", 2], ["c", undefined], ["d", null]]);
  assert.equal(r.get("b"), before, "what is the same stays the same object");
});

test("names may be anything", () => {
  const odd = ["", "__proto__", "constructor", "~", "/", "~1", "~0", "a/b~c", "toString", "\u0000", "💰"];
  const escaped = (name) => name.replaceAll("~", "~0").replaceAll("/", "~1");
  const { r, say } = replica([state({ fields: { bag: {} } })]);
  for (const [i, name] of odd.entries()) {
    assert.equal(r.get(name), undefined);
    assert.equal(r.get("bag")[name], undefined);
    let told;
    r.updated(name, (value) => (told = value));
    say(change(2 * i + 1, add(`/${escaped(name)}`, i), add(`/bag/${escaped(name)}`, { [name]: i })));
    assert.deepEqual([r.get(name), told, Object.keys(r.get("bag"))], [i, i, [name]], JSON.stringify(name));
    assert.deepEqual(Object.keys(r.get("bag")[name]), [name]);
    say(change(2 * i + 2, remove(`/${escaped(name)}`), remove(`/bag/${escaped(name)}`)));
    assert.deepEqual([r.get(name), told, Object.keys(r.get("bag"))], [undefined, undefined, []], JSON.stringify(name));
  }
  assert.equal({}.polluted, undefined);
  r.apply(`{"type":"state","epoch":"E","rev":0,"ping":1,"fields":{"__proto__":{"polluted":1},"x":{"__proto__":{"polluted":1}}}}`);
  assert.equal(r.get("__proto__").polluted, 1);
  assert.equal(r.get("x").polluted, undefined);
  assert.equal({}.polluted, undefined);
});

test("a change is applied as a whole or not at all", () => {
  const { r, say, has } = replica([state({ fields: { a: { x: 1 }, b: 2 } })]);
  r.updated("a", () => assert.fail("nothing has changed"));
  for (const wrong of [
    remove("/none"), remove("/a/none"), remove("/none/x"), add("/b/x", 1), add("/none/x", 1), add("", {}), add("/a/x/y", 1),
    add("a", 1), add("/a/~2", 1), add("/a~", 1), { op: "add", path: "/a" }, { op: "replace", path: "/b", value: 1 }, { op: "test", path: "/b", value: 2 },
    null, 7, [], {}, { op: "remove" }, { op: "remove", path: 1 },
  ]) {
    assert.throws(() => say(change(1, add("/a/x", 2), add("/c", 3), remove("/b"), add("/b", 4), wrong)), FrameError, JSON.stringify(wrong));
    assert.deepEqual(has(), { a: { x: 1 }, b: 2 });
    assert.equal(r.resume(), undefined, "after a mistake the server has to send the state");
    assert.throws(() => say(change(1, add("/b", 3))), GapError);
    r.updated("none", () => {});
    say(state({ fields: { a: { x: 1 }, b: 2 } }));
  }
});

test("operations of one change see what those before have done", () => {
  const { say, has } = replica([state({ fields: { a: { x: 1 }, b: 2 } })]);
  say(change(1, add("/a/y", 2), remove("/a/x"), add("/c", {}), add("/c/z", 3), remove("/b"), add("/b", { q: 1 }), add("/b/r", 2)));
  assert.deepEqual(has(), { a: { y: 2 }, b: { q: 1, r: 2 }, c: { z: 3 } });
  say(change(2, add("/a/x", 1), remove("/a"), add("/d", 1), remove("/d"), add("/c/z", 4), add("/c", { new: 1 }), add("/c/newer", 2)));
  assert.deepEqual(has(), { b: { q: 1, r: 2 }, c: { new: 1, newer: 2 } });
});

test("revisions: the next is taken, older ones came twice, anything else is a gap", () => {
  const { r, say, has } = replica([state({ rev: 5 })]);
  say(change(6, add("/coins", 6)), change(6, add("/coins", 66)), change(3, add("/coins", 33)), { type: "saved", rev: 6, error: "failed" });
  assert.deepEqual([has(), r.saveError], [{ coins: 6 }, undefined]);
  assert.throws(() => say(change(8, add("/coins", 8))), GapError);
  assert.throws(() => say({ type: "saved", rev: 9 }), GapError);
  say({ type: "saved", rev: 7 });
  assert.deepEqual(r.resume(), { epoch: "E1", rev: 7 });
});

test("a connection begins with a state, or goes on exactly where the client stands", () => {
  const { r, say, has } = replica([state({ rev: 5 })]);
  assert.deepEqual(r.resume(), { epoch: "E1", rev: 5 });
  assert.throws(() => say(change(6, add("/coins", 6))), GapError, "it may be of another epoch");
  assert.deepEqual(r.resume(), { epoch: "E1", rev: 5 });
  say({ type: "resumed", rev: 5, ping: 1000 }, change(6, add("/coins", 6)), { type: "resumed", rev: 5, ping: 1000 });
  assert.deepEqual(has(), { coins: 6 });
  r.resume();
  assert.throws(() => say({ type: "resumed", rev: 5, ping: 1000 }), FrameError);
  assert.equal(r.resume(), undefined);
  assert.throws(() => say({ type: "resumed", rev: 6, ping: 1000 }), FrameError);
  assert.deepEqual(has(), { coins: 6 }, "what is known stays");
});

test("saved is told of each save, and saveError is of the last", () => {
  const { r, say } = replica([state({ saveError: "failed" })]);
  const told = [];
  r.saved((error) => told.push(error));
  say({ type: "saved", rev: 1, error: "unavailable" });
  assert.equal(r.saveError, "unavailable");
  say({ type: "saved", rev: 2 });
  assert.equal(r.saveError, undefined);
  assert.deepEqual(told, ["unavailable", undefined]);
});

test("updated is told once a frame has been applied, and only of other values", () => {
  const { r, say } = replica([state({ fields: { a: 1, b: { x: 1, y: [1] } } })]);
  const told = [];
  r.updated("a", (a) => told.push(["a", a, r.get("b").x]));
  r.updated("b", (b) => told.push(["b", b.x, r.get("a")]));
  say(change(1, add("/b/x", 2), add("/a", 2)));
  assert.deepEqual(told.splice(0), [["a", 2, 2], ["b", 2, 2]]);
  say(change(2, add("/a", 2), add("/b/y", [1]), add("/b", { y: [1], x: 2 })));
  assert.deepEqual(told, []);
});

test("what is handed out cannot be changed, and does not change", () => {
  const { r, say, has } = replica([state({ fields: { bag: { sword: { gems: ["ruby"] } } } })]);
  const bag = r.get("bag");
  assert.throws(() => (bag.shield = {}), TypeError);
  assert.throws(() => delete bag.sword, TypeError);
  assert.throws(() => (bag.sword.level = 4), TypeError);
  assert.throws(() => bag.sword.gems.push("opal"), TypeError);
  r.fields().clear();
  say(change(1, add("/bag/axe", { gems: [] })));
  assert.throws(() => (r.get("bag").axe.level = 4), TypeError);
  assert.throws(() => (r.get("bag").club = 4), TypeError);
  assert.deepEqual(Object.keys(bag), ["sword"]);
  assert.equal(r.get("bag").sword, bag.sword, "elements that stay are the same object");
  assert.deepEqual(has(), { bag: { sword: { gems: ["ruby"] }, axe: { gems: [] } } });
});

test("functions can be taken out, also while they are told", () => {
  const { r, say } = replica([state()]);
  const told = [];
  const first = r.updated("coins", (n) => {
    told.push(["first", n]);
    second();
    first();
  });
  const second = r.updated("coins", () => told.push("second"));
  const same = (n) => told.push(["same", n]);
  const third = r.updated("coins", same);
  r.updated("coins", same);
  say(change(1, add("/coins", 2)));
  third();
  third();
  say(change(2, add("/coins", 3)));
  assert.deepEqual(told, [["first", 2], ["same", 2], ["same", 2], ["same", 3]]);
  assert.throws(() => r.updated("coins", "not a function"), TypeError);
});

test("a function that throws keeps no other from being told", async (t) => {
  const { r, say } = replica([state()]);
  const uncaught = [];
  const others = process.listeners("uncaughtException");
  process.removeAllListeners("uncaughtException");
  process.on("uncaughtException", (error) => uncaught.push(error.message));
  t.after(() => {
    process.removeAllListeners("uncaughtException");
    others.forEach((l) => process.on("uncaughtException", l));
  });
  const told = [];
  r.updated("coins", () => {
    throw new Error("of the game");
  });
  r.updated("coins", (n) => told.push(n));
  say(change(1, add("/coins", 2)), change(2, add("/coins", 3)));
  await settled();
  assert.deepEqual([told, uncaught], [[2, 3], ["of the game", "of the game"]]);
});

test("a frame that is applied while functions are told is told after it", () => {
  const { r, say } = replica([state()]);
  const told = [];
  r.updated("coins", (n) => {
    told.push(["a", n]);
    if (n === 2) {
      say(change(2, add("/coins", 3)));
      assert.equal(r.get("coins"), 3);
      assert.deepEqual(told, [["a", 2]], "nobody is called while this runs");
    }
  });
  r.updated("coins", (n) => told.push(["b", n]));
  say(change(1, add("/coins", 2)));
  assert.deepEqual(told, [["a", 2], ["b", 2], ["a", 3], ["b", 3]]);
});

test("what a later version adds is passed over", () => {
  const { r, say, has } = replica([state({ season: 3 })]);
  say({ type: "weather", rev: 77 }, { ...change(1, { ...add("/coins", 2), why: "sold" }), by: "shop" }, { type: "ping", at: 1 });
  assert.deepEqual(has(), { coins: 2 });
  say({ type: "saved", rev: 2, error: "a new word" });
  assert.equal(r.saveError, "a new word");
});

test("an end says why", () => {
  const { say } = replica([state()]);
  assert.throws(() => say({ type: "end", reason: "moved" }), (e) => e instanceof EndedError && e.reason === "moved" && !e.final);
  assert.throws(() => say({ type: "end", reason: "erased" }), (e) => e instanceof EndedError && e.reason === "erased" && e.final);
});

test("frames that are none are refused by name", () => {
  const { r } = replica();
  const valid = JSON.stringify(state());
  for (const text of [
    "", "{", "null", "7", "[]", '"state"', "{}", '{"type":7}', `${valid}x`,
    ...[{ epoch: undefined }, { epoch: "" }, { epoch: "E".repeat(33) }, { rev: undefined }, { rev: -1 }, { rev: 1.5 }, { rev: 2 ** 53 }, { rev: "1" },
      { ping: undefined }, { ping: 0 }, { ping: "1" }, { fields: undefined }, { fields: null }, { fields: [] }, { fields: 1 }, { loadError: 1 }, { saveError: {} },
    ].map((over) => JSON.stringify(state(over))),
    ...[{ type: "change", rev: 1 }, { type: "change", rev: 1, ops: {} }, { type: "change", ops: [] }, { type: "saved" }, { type: "saved", rev: 1, error: 1 },
      { type: "resumed", rev: 1 }, { type: "end", reason: 1 },
    ].map((f) => JSON.stringify(f)),
    `{"type":"state","epoch":"E","rev":1,"ping":1,"fields":{"x":${"[".repeat(100_000)}${"]".repeat(100_000)}}}`,
    undefined, 7, new ArrayBuffer(8), {},
  ]) {
    assert.throws(() => r.apply(text), FrameError, String(text).slice(0, 80));
  }
  assert.equal(r.hasLoaded, false);
});

test("a frame that is too large is a mistake", () => {
  const { r, say } = replica([], { maxFrame: 2000 });
  say(state({ fields: { x: "x".repeat(1000) } }));
  assert.throws(() => say(state({ fields: { x: "x".repeat(2000) } })), /2\d{3} characters, at most 2000/);
  assert.equal(r.get("x").length, 1000);
});

test("values as deep as a server's are taken", () => {
  const { r, say } = replica();
  let deep = 1;
  for (let i = 0; i < 1000; i++) {
    deep = i % 2 ? [deep] : { deep };
  }
  say(state({ fields: { deep } }));
  assert.deepEqual(JSON.stringify(r.get("deep")), JSON.stringify(deep));
});

test("a parse of the game's keeps integers that a double cannot hold", () => {
  // What JSON.parse with a reviver's context does in newer engines, for this one frame.
  const parse = (text) => JSON.parse(text.replace(/\d{16,}/g, '"big:$&"'), (_, v) => (/^big:/.test(v) ? BigInt(v.slice(4)) : v));
  const r = new Replica({ parse });
  r.apply('{"type":"state","epoch":"E","rev":1,"ping":1000,"fields":{"id":9007199254740993,"bag":{"a":{"id":9007199254740993}}}}');
  r.updated("id", () => assert.fail("it is the same"));
  assert.equal(r.get("id"), 9007199254740993n);
  assert.equal(r.get("bag").a.id, 9007199254740993n);
  r.apply('{"type":"state","epoch":"E","rev":1,"ping":1000,"fields":{"id":9007199254740993,"bag":{}}}');
});

test("options are checked", () => {
  assert.throws(() => new Replica({ maxFrame: 10 }), RangeError);
  assert.throws(() => new Replica({ maxFrame: NaN }), RangeError);
  assert.throws(() => new Replica({ parse: "JSON" }), TypeError);
});
