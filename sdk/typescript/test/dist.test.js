// dist is committed, so that a page and a Go program need no npm. npm test compiles the
// source anew, into build.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";

const dist = new URL("../dist/", import.meta.url);
const built = new URL("../build/src/", import.meta.url);

test("dist is what the source gives: run npm run build if it is not", () => {
  const names = readdirSync(built).sort();
  assert.deepEqual(readdirSync(dist).sort(), names);
  for (const name of names) {
    assert.equal(readFileSync(new URL(name, dist), "utf8"), readFileSync(new URL(name, built), "utf8"), name);
  }
});

test("a page can load it without a build step", () => {
  for (const name of readdirSync(dist).filter((n) => n.endsWith(".js"))) {
    const text = readFileSync(new URL(name, dist), "utf8");
    for (const [, from] of text.matchAll(/\bfrom\s+"([^"]*)"/g)) {
      assert.match(from, /^\.\/[a-z-]+\.js$/, `${name} imports ${from}`);
    }
    assert.doesNotMatch(text, /\brequire\(|\bprocess\.|\bimport\(/, name);
  }
});

test("the README's first program is one that compiles", () => {
  const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");
  const [, first] = /```ts\n(.*?)```/s.exec(readme);
  assert.equal(first, readFileSync(new URL("first.ts", import.meta.url), "utf8"));
});
