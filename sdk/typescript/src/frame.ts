import { FrameError, type Reason } from "./errors.js";
import { segmentsOf } from "./pointer.js";
import { isPlain, settle } from "./value.js";

/**
 * Why a load or a save failed: a word of the protocol, of which a later version may have
 * more. docs/replication.md says what each means.
 */
export type Code = "locked" | "damaged" | "newer" | "unavailable" | "failed" | (string & {});

/** One operation of a change: on a field, or on an element of one. @internal */
export interface Operation {
  readonly op: "add" | "remove";
  readonly field: string;
  readonly element: string | undefined;
  readonly value: unknown; // settled; of add only
}

/** A frame of the server. docs/replication.md has its members. @internal */
export type Frame =
  | {
    readonly type: "state";
    readonly epoch: string;
    readonly rev: number;
    readonly ping: number;
    readonly loadError: Code | undefined;
    readonly saveError: Code | undefined;
    readonly fields: Map<string, unknown>;
  }
  | { readonly type: "resumed"; readonly rev: number; readonly ping: number }
  | { readonly type: "change"; readonly rev: number; readonly ops: readonly Operation[] }
  | { readonly type: "saved"; readonly rev: number; readonly error: Code | undefined }
  | { readonly type: "ping" }
  | { readonly type: "end"; readonly reason: Reason };

/** How frames are read. */
export interface FrameOptions {
  /**
   * The most characters that a frame may have: a larger one is taken for a mistake of the
   * server. 16 Mi by default.
   */
  maxFrame?: number | undefined;
  /**
   * What reads the text of a frame, in place of `JSON.parse`: for games with integers
   * beyond 2^53, which `JSON.parse` rounds. Safe integers have to stay numbers.
   */
  parse?: ((text: string) => unknown) | undefined;
}

const defaultMaxFrame = 16 * 1024 * 1024;
const maxEpoch = 32;

/** Checks options, and fills in what they leave out. @internal */
export function frameOptions(o: FrameOptions): { maxFrame: number; parse: (text: string) => unknown } {
  const { maxFrame = defaultMaxFrame, parse = JSON.parse } = o;
  if (!Number.isSafeInteger(maxFrame) || maxFrame < 1024) {
    throw new RangeError(`maxFrame is ${maxFrame}, at least 1024 is needed`);
  }
  if (typeof parse !== "function") {
    throw new TypeError("parse is not a function");
  }
  return { maxFrame, parse: (text) => parse(text) };
}

/**
 * Reads a frame. It returns undefined for one of a type that is not known, which is to be
 * passed over, and throws nothing but a FrameError.
 * @internal
 */
export function decode(text: unknown, o: { maxFrame: number; parse: (text: string) => unknown }): Frame | undefined {
  if (typeof text !== "string") {
    throw new FrameError("a frame is not text");
  }
  if (text.length > o.maxFrame) {
    throw new FrameError(`a frame has ${text.length} characters, at most ${o.maxFrame} are taken`);
  }
  let frame: unknown;
  try {
    frame = o.parse(text);
  } catch (error) {
    throw new FrameError("a frame is not JSON", { cause: error });
  }
  if (!isPlain(frame) || typeof frame.type !== "string") {
    throw new FrameError("a frame is not an object with a type");
  }
  return read(frame, frame.type);
}

function read(frame: Record<string, unknown>, type: string): Frame | undefined {
  switch (type) {
    case "state":
      return readState(frame);
    case "resumed":
      return { type, rev: revision(frame), ping: pingEvery(frame) };
    case "change":
      return { type, rev: revision(frame), ops: operations(frame.ops) };
    case "saved":
      return { type, rev: revision(frame), error: word(frame, "error") };
    case "ping":
      return { type };
    case "end":
      return { type, reason: word(frame, "reason") ?? "" };
    default:
      return undefined;
  }
}

function readState(frame: Record<string, unknown>): Frame {
  const { epoch, fields } = frame;
  if (typeof epoch !== "string" || epoch === "" || epoch.length > maxEpoch) {
    throw new FrameError("a state has no epoch");
  }
  if (!isPlain(fields)) {
    throw new FrameError("a state has no fields");
  }
  return {
    type: "state", epoch, rev: revision(frame), ping: pingEvery(frame),
    loadError: word(frame, "loadError"), saveError: word(frame, "saveError"),
    fields: new Map(Object.keys(fields).map((name) => [name, settle(fields[name])])),
  };
}

function revision({ rev }: Record<string, unknown>): number {
  if (typeof rev !== "number" || !Number.isSafeInteger(rev) || rev < 0) {
    throw new FrameError("a frame has no revision");
  }
  return rev;
}

/** Returns how often the server pings, whatever else it sends, in milliseconds: 100 ms to 10 min. */
function pingEvery({ ping }: Record<string, unknown>): number {
  if (typeof ping !== "number" || !(ping > 0)) {
    throw new FrameError("a frame does not say how often the server pings");
  }
  return Math.min(Math.max(ping, 100), 600_000);
}

function word(frame: Record<string, unknown>, name: string): string | undefined {
  const text = frame[name];
  if (text === undefined || text === "") {
    return undefined;
  }
  if (typeof text !== "string") {
    throw new FrameError(`a frame's ${name} is not text`);
  }
  return text;
}

function operations(ops: unknown): Operation[] {
  if (!Array.isArray(ops)) {
    throw new FrameError("a change has no operations");
  }
  return ops.map(operation);
}

function operation(op: unknown): Operation {
  if (!isPlain(op) || typeof op.path !== "string") {
    throw new FrameError("an operation has no path");
  }
  const [field, element, ...deeper] = segmentsOf(op.path) ?? [];
  if (field === undefined || deeper.length > 0) {
    throw new FrameError(`an operation's path is neither a field nor an element: ${JSON.stringify(op.path.slice(0, 60))}`);
  }
  if (op.op === "remove") {
    return { op: "remove", field, element, value: undefined };
  }
  if (op.op !== "add") {
    throw new FrameError("an operation is neither add nor remove");
  }
  if (op.value === undefined) {
    throw new FrameError("an operation adds nothing");
  }
  return { op: "add", field, element, value: settle(op.value) };
}
