// The stage of internal/replicatest: real game servers with players, behind proxies that
// cut, delay, repeat and reorder. Its package comment says what a driver does.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

/** Starts a stage, which ends with the test. Returns what asks it for something. */
export async function startStage(t) {
  const root = new URL("../../../", import.meta.url);
  const serve = spawn("go", ["run", "./internal/replicatest/serve"], { cwd: root, stdio: ["pipe", "pipe", "inherit"] });
  const ended = once(serve, "exit");
  t.after(async () => {
    serve.stdin.end();
    await ended;
  });
  const lines = createInterface({ input: serve.stdout });
  const first = await Promise.race([once(lines, "line"), ended.then(() => { throw new Error("the stage has not started"); })]);
  const { control } = JSON.parse(first[0]);
  return async (path, body) => {
    const answer = await fetch(control + path, body === undefined ? {} : { method: "POST", body: JSON.stringify(body) });
    const text = await answer.text();
    if (!answer.ok) {
      throw new Error(`${path}: the stage answers ${answer.status}: ${text}`);
    }
    return JSON.parse(text);
  };
}
