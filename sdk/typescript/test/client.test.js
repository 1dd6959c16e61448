import assert from "node:assert/strict";
import { test } from "node:test";
import { Client, EndedError } from "@holdfast-games/replica";
import { add, change, FakeSocket, ownTime, settled, state } from "./fake.js";

const url = "ws://game.example/replica";

/** Returns a client over fake sockets, and what it has told of its connections and its end. */
async function client(t, options = {}, where = url) {
  const pass = ownTime(t);
  const c = new Client(where, "42", { webSocket: FakeSocket, ...options });
  t.after(() => c.close());
  const told = [];
  c.connected((is, why) => told.push(is ? "up" : why));
  c.ended((why) => told.push(why));
  await settled();
  return { c, told, pass };
}

/** Whether the client has made another socket since there were n. */
const came = (n) => FakeSocket.all.length > n;

test("a client says whom it watches, and with which token", async (t) => {
  const { c } = await client(t, { token: async () => "T1" });
  const socket = FakeSocket.last;
  assert.deepEqual([socket.url, socket.protocols, socket.sent], [url, ["holdfast.replica.v1"], []]);
  socket.open();
  assert.deepEqual(socket.sent, [{ type: "hello", player: "42", token: "T1" }]);
  assert.equal(c.isConnected, false);
  socket.says(state());
  assert.deepEqual([c.isConnected, c.hasLoaded, c.get("coins")], [true, true, 1]);
  await c.waitLoaded();
});

test("without a token none is sent", async (t) => {
  await client(t);
  FakeSocket.last.open();
  assert.deepEqual(FakeSocket.last.sent, [{ type: "hello", player: "42" }]);
});

test("a client comes again with its position and another token", async (t) => {
  let n = 0;
  const { c, told, pass } = await client(t, { token: () => `T${++n}` });
  FakeSocket.last.open();
  FakeSocket.last.says(state({ rev: 7 }), change(8, add("/coins", 8)));
  FakeSocket.last.ends(1006);
  assert.deepEqual([c.isConnected, c.get("coins")], [false, 8]);
  assert.match(told[1].message, /1006/);
  await pass(187);
  assert.equal(came(1), false, "half of 250 ms and half of that again, by the dice of this test");
  await pass(1);
  assert.equal(came(1), true);
  FakeSocket.last.open();
  assert.deepEqual(FakeSocket.last.sent, [{ type: "hello", player: "42", token: "T2", epoch: "E1", rev: 8 }]);
  FakeSocket.last.says({ type: "resumed", rev: 8, ping: 1000 }, change(9, add("/coins", 9)));
  assert.deepEqual([c.isConnected, c.get("coins"), told.map(String).length], [true, 9, 3]);
});

test("pauses double up to 15 s, and begin anew once a connection has stood", async (t) => {
  const { pass } = await client(t);
  for (const pause of [250, 500, 1000, 2000, 4000, 8000, 15_000, 15_000]) {
    const n = FakeSocket.all.length;
    FakeSocket.last.ends(1006);
    await pass(pause * 0.75 - 1);
    assert.equal(came(n), false, `less than ${pause}`);
    await pass(1.5);
    assert.equal(came(n), true, `${pause}`);
  }
  FakeSocket.last.open();
  FakeSocket.last.says(state({ ping: 4000 }));
  await pass(4999);
  FakeSocket.last.ends(1006);
  await pass(15_000 * 0.75 - 1);
  await pass(1);
  FakeSocket.last.open();
  FakeSocket.last.says(state({ ping: 4000 }));
  await pass(5000);
  FakeSocket.last.ends(1006);
  const n = FakeSocket.all.length;
  await pass(188);
  assert.equal(came(n), true);
});

test("a pause is between the half and the whole", async (t) => {
  const { pass } = await client(t);
  Math.random = () => 0;
  FakeSocket.last.ends(1006);
  await pass(125);
  assert.equal(came(1), true);
  Math.random = () => 1 - 2 ** -53;
  FakeSocket.last.ends(1006);
  await pass(499);
  assert.equal(came(2), false);
  await pass(1);
  assert.equal(came(2), true);
});

for (const [code, text, reason, detail] of [
  [1009, "read limited", "malformed", "read limited"], [4000, "malformed", "malformed", ""],
  [4001, "version: this server speaks holdfast.replica.v2", "version", "this server speaks holdfast.replica.v2"],
  [4002, "forbidden", "forbidden", ""], [4003, "erased", "erased", ""], [4050, "banned: for a week", "banned", "for a week"], [4099, "", "4099", ""],
]) {
  test(`close code ${code} is final`, async (t) => {
    const { c, told, pass } = await client(t);
    const waiting = c.waitLoaded();
    FakeSocket.last.open();
    FakeSocket.last.ends(code, text);
    assert.ok(told[0] instanceof EndedError);
    assert.deepEqual([c.end?.reason, c.end?.detail, c.end?.final, told], [reason, detail, true, [c.end]]);
    await assert.rejects(waiting, EndedError);
    await assert.rejects(c.waitLoaded(), EndedError);
    await pass(60_000);
    assert.equal(came(1), false);
  });
}

for (const [code, text, reason] of [
  [1000, ""], [1001, "leaving", "leaving"], [1005, ""], [1006, ""], [1011, "oops"], [1012, ""], [3000, ""], [4100, "later: on", "later"],
  [4101, "absent", "absent"], [4102, "expired", "expired"], [4103, "moved", "moved"], [4104, "closed", "closed"], [4105, "lost", "lost"],
  [4106, "silent", "silent"], [4107, "crowded", "crowded"], [4108, "failed", "failed"], [4199, "", "4199"], [4200, ""], [4999, ""],
]) {
  test(`after close code ${code} a client comes again`, async (t) => {
    const { c, told, pass } = await client(t);
    FakeSocket.last.open();
    FakeSocket.last.ends(code, text);
    assert.deepEqual([c.end, told[0].reason], [undefined, reason]);
    await pass(250);
    assert.equal(came(1), true);
  });
}

test("what is malformed makes a client come again without a position, and nothing is lost meanwhile", async (t) => {
  for (const wrong of ["{", new ArrayBuffer(4), change(1, { op: "move", from: "/coins", path: "/gold" }), '"x"', change(1, { op: "remove", path: "/none" })]) {
    await t.test(String(JSON.stringify(wrong)), async (t) => {
      const { c, pass } = await client(t);
      const socket = FakeSocket.last;
      socket.open();
      socket.says(state(), wrong, change(1, add("/coins", 66)));
      assert.deepEqual([socket.closed, c.get("coins"), c.hasLoaded, c.isConnected], [4000, 1, true, false]);
      await pass(250);
      FakeSocket.last.open();
      assert.deepEqual(FakeSocket.last.sent, [{ type: "hello", player: "42" }]);
    });
  }
});

test("a gap makes a client come again with its position", async (t) => {
  const { c, pass } = await client(t);
  const socket = FakeSocket.last;
  socket.open();
  socket.says(state({ rev: 3 }), change(5, add("/coins", 5)), change(4, add("/coins", 4)));
  assert.deepEqual([socket.closed, c.get("coins")], [1000, 1]);
  await pass(250);
  FakeSocket.last.open();
  assert.deepEqual(FakeSocket.last.sent, [{ type: "hello", player: "42", epoch: "E1", rev: 3 }]);
  FakeSocket.last.says(change(4, add("/coins", 4)));
  assert.deepEqual([FakeSocket.last.closed, c.get("coins")], [1000, 1], "it may be of another epoch");
});

test("a ping is answered at once", async (t) => {
  await client(t);
  const socket = FakeSocket.last;
  socket.open();
  socket.says({ type: "ping" }, state(), { type: "ping" });
  assert.deepEqual(socket.sent.slice(1), [{ type: "pong" }, { type: "pong" }]);
});

test("a server that pings and does not read is left", async (t) => {
  const { told } = await client(t);
  FakeSocket.last.open();
  FakeSocket.last.bufferedAmount = 1 << 20;
  FakeSocket.last.says({ type: "ping" });
  assert.match(told[0].message, /does not read/);
});

test("silence of 2.5 pings is the end of a connection", async (t) => {
  const { c, pass } = await client(t);
  const socket = FakeSocket.last;
  socket.open();
  socket.says(state({ ping: 1000 }));
  for (let i = 0; i < 10; i++) {
    await pass(2499);
    socket.says({ type: "ping" });
  }
  await pass(2499);
  assert.equal(c.isConnected, true);
  await pass(1);
  assert.deepEqual([c.isConnected, socket.closed], [false, 1000]);
  await pass(250);
  assert.equal(came(1), true);
});

test("before the first frame silence is 20 s, for what connects and for what is connected", async (t) => {
  const { pass } = await client(t);
  await pass(19_999);
  assert.equal(FakeSocket.last.closed, undefined);
  FakeSocket.last.open();
  await pass(19_999);
  assert.equal(FakeSocket.last.closed, undefined);
  await pass(1);
  assert.equal(FakeSocket.last.closed, 1000);
  await pass(250);
  assert.equal(FakeSocket.all.length, 2);
  await pass(20_000);
  assert.equal(FakeSocket.all[1].closed, 1000);
});

test("who was held up himself lets what has come be heard, once", async (t) => {
  const { c, pass } = await client(t);
  let asleep = 0;
  const awake = performance.now;
  performance.now = () => awake() + asleep;
  FakeSocket.last.open();
  FakeSocket.last.says(state({ ping: 1000 }));
  asleep = 3_600_000;
  await pass(2500);
  assert.equal(c.isConnected, true, "the timer was late: messages may lie ready");
  await pass(999);
  FakeSocket.last.says({ type: "ping" });
  await pass(2400);
  assert.equal(c.isConnected, true);
  asleep *= 2;
  await pass(100);
  assert.equal(c.isConnected, true);
  asleep *= 2; // a background tab, whose timers are always late
  await pass(1000);
  assert.equal(c.isConnected, false);
});

test("a token or a URL that cannot be had is like a connection that fails", async (t) => {
  const wrong = [() => { throw new Error("no login"); }, async () => Promise.reject("no login"), () => null, async () => ({ token: "T" })];
  const { told, pass, c } = await client(t, { token: () => wrong.length > 0 ? wrong.shift()() : "T" }, async () => "http:game.example/x#here");
  assert.equal(told[0].message, "no login");
  await pass(250);
  assert.equal(told[1].message, "no login");
  await pass(500);
  assert.match(told[2].message, /not text/);
  await pass(1000);
  assert.match(told[3].message, /not text/);
  assert.equal(FakeSocket.all.length, 0);
  await pass(2000);
  assert.equal(FakeSocket.last.url, "ws://game.example/x");
  FakeSocket.last.open();
  FakeSocket.last.says(state());
  assert.equal(c.isConnected, true);
});

test("a token that does not come is not waited for beyond 20 s, and is of no use later", async (t) => {
  const answers = [];
  const { pass } = await client(t, { token: () => new Promise((resolve) => answers.push(resolve)) });
  await pass(20_000);
  await pass(250);
  assert.deepEqual([answers.length, FakeSocket.all.length], [2, 0]);
  answers[0]("late");
  answers[1]("T2");
  await settled();
  assert.equal(FakeSocket.all.length, 1);
  FakeSocket.last.open();
  assert.equal(FakeSocket.last.sent[0].token, "T2");
});

test("a URL that is asked for may be another one each time", async (t) => {
  const servers = ["ws://a.example/", "https://b.example/", "ftp://c.example", 7, "::", "ws://d.example/"];
  const { pass } = await client(t, {}, () => servers.shift());
  FakeSocket.last.open();
  FakeSocket.last.ends(4103, "moved");
  await pass(250);
  assert.equal(FakeSocket.last.url, "wss://b.example/");
  FakeSocket.last.ends(1006);
  for (const pause of [500, 1000, 2000, 4000]) {
    await pass(pause);
  }
  assert.equal(FakeSocket.last.url, "ws://d.example/");
});

test("a socket that cannot be made is like a connection that fails", async (t) => {
  let tries = 0;
  class Refuses extends FakeSocket {
    constructor(...args) {
      super(...args);
      if (++tries < 2) {
        throw new DOMException("insecure", "SecurityError");
      }
    }
  }
  const { c, told, pass } = await client(t, { webSocket: Refuses });
  assert.equal(told[0].name, "SecurityError");
  await pass(250);
  FakeSocket.last.open();
  FakeSocket.last.says(state());
  assert.equal(c.isConnected, true);
});

test("an error of a socket is its end, whether it says so or not", async (t) => {
  const { c, told, pass } = await client(t);
  FakeSocket.last.onerror({}); // Node 20 says no more of a handshake that was refused
  await pass(0);
  assert.match(told[0].message, /failed/);
  await pass(250);
  assert.equal(came(1), true);
  FakeSocket.last.open();
  FakeSocket.last.ends(4003, "erased"); // an error, and then the close that knows why
  assert.equal(c.end?.reason, "erased");
});

test("what speaks another protocol is left", async (t) => {
  const { told } = await client(t);
  FakeSocket.last.open("");
  assert.deepEqual([FakeSocket.last.sent, FakeSocket.last.closed], [[], 1000]);
  assert.match(told[0].message, /holdfast\.replica\.v1/);
});

for (const [when, get] of [
  ["asking", async (t) => client(t, { token: () => new Promise(() => {}) })],
  ["connecting", async (t) => client(t)],
  ["connected", async (t) => { const w = await client(t); FakeSocket.last.open(); return w; }],
  ["loaded", async (t) => { const w = await client(t); FakeSocket.last.open(); FakeSocket.last.says(state()); return w; }],
  ["pausing", async (t) => { const w = await client(t); FakeSocket.last.ends(1006); return w; }],
  ["given up", async (t) => { const w = await client(t); FakeSocket.last.ends(4003); return w; }],
]) {
  test(`closing while ${when} leaves nothing that runs, and tells nobody`, async (t) => {
    const { c, told, pass } = await get(t);
    const sockets = FakeSocket.all.length;
    const socket = FakeSocket.last;
    told.length = 0;
    c.loaded(() => told.push("loaded"));
    c.updated("coins", () => told.push("updated"));
    c.close();
    c.close();
    socket?.open();
    socket?.says(state(), change(1, add("/coins", 2)));
    socket?.ends(1006);
    await pass(100_000);
    assert.deepEqual([told, FakeSocket.all.length, c.isConnected], [[], sockets, false]);
    assert.equal(socket?.closed, socket && 1000);
    if (when === "loaded") {
      assert.equal(c.get("coins"), 1, "it stays readable");
    } else if (when !== "given up") {
      await assert.rejects(c.waitLoaded(), { name: "AbortError" });
    }
  });
}

test("a client can be closed by a function that it calls", async (t) => {
  const { c, told } = await client(t);
  c.loaded(() => c.close());
  c.loaded(() => told.push("after close"));
  FakeSocket.last.open();
  FakeSocket.last.says(state(), change(1, add("/coins", 2)));
  await c.waitLoaded();
  assert.deepEqual([told, c.get("coins"), FakeSocket.last.closed, c.isConnected], [[], 1, 1000, false]);
});

test("an old connection has no say", async (t) => {
  const { c, pass } = await client(t);
  const old = FakeSocket.last;
  const handlers = { open: old.onopen, message: old.onmessage, close: old.onclose };
  old.ends(1006);
  await pass(250);
  FakeSocket.last.open();
  FakeSocket.last.says(state());
  handlers.close({ code: 4003, reason: "erased" });
  assert.deepEqual([c.isConnected, c.end], [true, undefined]);
});

test("what nothing can be done with is refused at once", () => {
  const make = (where, player, options) => () => new Client(where, player, { webSocket: FakeSocket, ...options }).close();
  assert.throws(make("game.example/replica", "42"), TypeError);
  assert.throws(make("ftp://game.example", "42"), /ftp/);
  assert.throws(make(undefined, "42"), TypeError);
  for (const player of ["", 42, undefined, "é".repeat(101)]) {
    assert.throws(make(url, player), TypeError);
  }
  for (const options of [{ firstPause: 0 }, { firstPause: 100, longestPause: 50 }, { longestPause: Infinity }, { firstPause: NaN }, { maxFrame: 0 }]) {
    assert.throws(make(url, "42", options), RangeError);
  }
  assert.throws(make(url, "42", { webSocket: "ws" }), /webSocket/);
});
