// The public cases of RFC 6902. A change of version 1 adds and removes fields, and
// elements of fields that are objects: such cases have to come out as the RFC has it,
// and any other one is refused as a whole.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";
import { FrameError, Replica } from "@holdfast-games/replica";

const require = createRequire(import.meta.url);
const cases = [...require("json-patch-test-suite/spec_tests.json"), ...require("json-patch-test-suite/tests.json")];

const isObject = (v) => typeof v === "object" && v !== null && !Array.isArray(v);

/** Whether a document and a patch are of the kind that a server sends. */
function isOurs({ doc, patch }) {
  return isObject(doc) && patch.every(({ op, path }) => {
    const [, field, element, ...deeper] = typeof path === "string" ? path.split("/") : [];
    return (op === "add" || op === "remove") && field !== undefined && deeper.length === 0 && (element === undefined || !Array.isArray(doc[field]));
  });
}

const applied = { kept: 0, refused: 0 };
for (const [i, c] of cases.entries()) {
  if (!isObject(c.doc) || c.disabled) {
    continue;
  }
  test(`${c.comment ?? c.error ?? "case"} (${i})`, () => {
    const r = new Replica();
    r.apply(JSON.stringify({ type: "state", epoch: "E", rev: 0, ping: 1000, fields: c.doc }));
    const change = () => r.apply(JSON.stringify({ type: "change", rev: 1, ops: c.patch }));
    const has = () => JSON.parse(JSON.stringify(Object.fromEntries(r.fields())));
    if (isOurs(c) && c.error === undefined) {
      change();
      assert.deepEqual(has(), c.expected ?? c.doc);
      applied.kept++;
    } else {
      assert.throws(change, FrameError);
      assert.deepEqual(has(), c.doc);
      applied.refused++;
    }
  });
}

test("enough cases were of either kind", () => {
  assert.ok(applied.kept >= 15 && applied.refused >= 15, JSON.stringify(applied));
});
