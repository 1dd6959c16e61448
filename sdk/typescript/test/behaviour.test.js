// Plays the scenarios that every client has to pass, over real connections.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "@holdfast-games/replica";
import { startStage } from "./stage.js";

const patience = 10_000;
const fields = ["coins", "nick", "bag", "kills", "quests", "target", "xp", "level", "secret"];

/** A value as JSON, with the members of objects in order. */
function canonical(v) {
  if (Array.isArray(v)) {
    return `[${v.map(canonical)}]`;
  }
  if (typeof v === "object" && v !== null) {
    return `{${Object.keys(v).sort().map((name) => `${JSON.stringify(name)}:${canonical(v[name])}`)}}`;
  }
  return JSON.stringify(v);
}

/** Plays one scenario. */
class Driver {
  constructor(stage, begun) {
    this.stage = stage;
    this.begun = begun;
    this.at = `?player=${encodeURIComponent(begun.player)}`;
  }

  async play(step) {
    const own = { connect: this.connect, expect: this.expect, updated: this.updated, same: this.same, never: this.never, close: this.close }[step.do];
    await (own === undefined ? this.stage(`/step${this.at}`, step) : own.call(this, step));
  }

  connect({ token = this.begun.token, player = this.begun.player }) {
    const told = { loaded: 0, saved: 0, updated: new Map(), values: [] };
    this.told = told;
    this.close();
    this.client = new Client(this.begun.url, player, { token: async () => token, firstPause: 10, longestPause: 100 });
    this.client.loaded(() => told.loaded++);
    this.client.saved(() => told.saved++);
    for (const name of fields) {
      this.client.updated(name, (value) => {
        told.updated.set(name, (told.updated.get(name) ?? 0) + 1);
        told.values.push(canonical(value));
      });
    }
  }

  async expect(step) {
    await this.until(() => {
      for (const [name, want] of Object.entries(step.fields ?? {})) {
        assert.equal(canonical(this.client.get(name)), want === null ? undefined : canonical(want), name);
      }
      const { hasLoaded, loadError = "", saveError = "", end } = this.client;
      const has = { hasLoaded, loadError, saveError, loaded: this.told.loaded, ended: end?.reason };
      for (const name of Object.keys(has).filter((name) => name in step)) {
        assert.equal(has[name], step[name], name);
      }
      assert.ok(this.told.saved >= (step.saved ?? 0), `saved was told ${this.told.saved} times`);
    });
  }

  async updated({ field, times = 0 }) {
    await this.until(() => assert.ok((this.told.updated.get(field) ?? 0) >= times, `${field} was told ${this.told.updated.get(field)} times`));
    this.told.updated.delete(field);
  }

  async same() {
    const all = (entries) => [...entries].map(([name, value]) => `${name}: ${canonical(value)}`).sort();
    const want = all(Object.entries(await this.stage(`/state${this.at}`)));
    const check = () => assert.deepEqual(all(this.client.fields()), want);
    await this.until(check);
    await sleep(100);
    check();
  }

  never({ text }) {
    for (const value of [...this.told.values, ...[...this.client.fields().values()].map(canonical)]) {
      assert.ok(!value?.includes(text), value);
    }
  }

  close() {
    this.client?.close();
  }

  /** Waits until check throws nothing. */
  async until(check) {
    for (const deadline = Date.now() + patience; ;) {
      try {
        return check();
      } catch (error) {
        if (Date.now() > deadline) {
          throw error;
        }
      }
      await sleep(2);
    }
  }
}

/** Plays a scenario, and says where it went wrong. */
async function play(stage, scenario) {
  const driver = new Driver(stage, await stage("/begin", { scenario: scenario.name }));
  let at;
  try {
    for (const [i, step] of scenario.steps.entries()) {
      at = `step ${i + 1}, ${step.do}`;
      await driver.play(step);
    }
  } catch (error) {
    throw new Error(`${scenario.why} ${at}: ${error.message}`, { cause: error });
  } finally {
    driver.close();
    await stage(`/end${driver.at}`, {});
  }
}

/** A program that closes its client when something has happened, and has nothing else to do. */
const program = (when) => `
  import { Client } from "@holdfast-games/replica";
  const [url, player, token] = process.argv.slice(1);
  const c = new Client(url, player, { token });
  ${when};
`;

/** Runs such a program, which has to end by itself. */
async function endsByItself(stage, when, refused) {
  const begun = await stage("/begin", {});
  const at = `?player=${begun.player}`;
  await stage(`/step${at}`, { do: "open" });
  if (refused) {
    await stage(`/step${at}`, { do: "refuse" });
  }
  const flags = ["--experimental-websocket", "--no-warnings", "--input-type=module"];
  const node = spawn(process.execPath, [...flags, "-e", program(when), begun.url, begun.player, begun.token], { cwd: import.meta.dirname, stdio: "inherit" });
  const kill = setTimeout(() => node.kill("SIGKILL"), 2 * patience);
  assert.deepEqual(await once(node, "exit"), [0, null]);
  clearTimeout(kill);
  await stage(`/end${at}`, {});
}

test("behaviour", { concurrency: 8 }, async (t) => {
  const stage = await startStage(t);
  const scenarios = await stage("/scenarios");
  assert.ok(scenarios.length > 10, "scenarios are missing");
  await Promise.all([
    ...scenarios.map((scenario) => t.test(scenario.name, () => play(stage, scenario))),
    t.test("a program ends once its client is closed", () => endsByItself(stage, "await c.waitLoaded(); c.close()")),
    t.test("also if that is between two connections", () => endsByItself(stage, "c.connected(() => c.close())", true)),
    t.test("also if that is before the first", () => endsByItself(stage, "c.close()")),
  ]);
});
