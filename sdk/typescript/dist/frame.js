import { FrameError } from "./errors.js";
import { segmentsOf } from "./pointer.js";
import { isPlain, settle } from "./value.js";
const defaultMaxFrame = 16 * 1024 * 1024;
const maxEpoch = 32;
/** Checks options, and fills in what they leave out. @internal */
export function frameOptions(o) {
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
export function decode(text, o) {
    if (typeof text !== "string") {
        throw new FrameError("a frame is not text");
    }
    if (text.length > o.maxFrame) {
        throw new FrameError(`a frame has ${text.length} characters, at most ${o.maxFrame} are taken`);
    }
    let frame;
    try {
        frame = o.parse(text);
    }
    catch (error) {
        throw new FrameError("a frame is not JSON", { cause: error });
    }
    if (!isPlain(frame) || typeof frame.type !== "string") {
        throw new FrameError("a frame is not an object with a type");
    }
    return read(frame, frame.type);
}
function read(frame, type) {
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
function readState(frame) {
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
function revision({ rev }) {
    if (typeof rev !== "number" || !Number.isSafeInteger(rev) || rev < 0) {
        throw new FrameError("a frame has no revision");
    }
    return rev;
}
/** Returns how often the server pings, whatever else it sends, in milliseconds: 100 ms to 10 min. */
function pingEvery({ ping }) {
    if (typeof ping !== "number" || !(ping > 0)) {
        throw new FrameError("a frame does not say how often the server pings");
    }
    return Math.min(Math.max(ping, 100), 600_000);
}
function word(frame, name) {
    const text = frame[name];
    if (text === undefined || text === "") {
        return undefined;
    }
    if (typeof text !== "string") {
        throw new FrameError(`a frame's ${name} is not text`);
    }
    return text;
}
function operations(ops) {
    if (!Array.isArray(ops)) {
        throw new FrameError("a change has no operations");
    }
    return ops.map(operation);
}
function operation(op) {
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
