/** A frame that is not of the protocol, or that does not fit the state. Nothing of it was applied. */
export class FrameError extends Error {
    name = "FrameError";
}
/** A frame is missing before this one, which was not applied: come again with the position. */
export class GapError extends Error {
    name = "GapError";
}
/** The server has ended a connection, and said why. */
export class EndedError extends Error {
    reason;
    final;
    detail;
    name = "EndedError";
    /**
     * @param reason the word for why
     * @param final whether it is of no use to come again
     * @param detail what the server added for people; may be empty
     */
    constructor(reason, final, detail = "") {
        super(`the server has ended this: ${reason}${detail && `: ${detail}`}`);
        this.reason = reason;
        this.final = final;
        this.detail = detail;
    }
}
const reasons = new Map([
    [1001, "leaving"], [1009, "malformed"],
    [4000, "malformed"], [4001, "version"], [4002, "forbidden"], [4003, "erased"],
    [4101, "absent"], [4102, "expired"], [4103, "moved"], [4104, "closed"],
    [4105, "lost"], [4106, "silent"], [4107, "crowded"], [4108, "failed"],
]);
const finalReasons = new Set(["malformed", "version", "forbidden", "erased"]);
/**
 * Says what the end of a WebSocket means: an EndedError if the server has given a reason
 * of the protocol, one of a later version included; else an accident.
 * @internal
 */
export function endOf(code, text) {
    const final = code === 1009 || (code >= 4000 && code < 4100);
    const known = reasons.get(code);
    if (!final && known === undefined && !(code >= 4100 && code < 4200)) {
        return new Error(`the connection has ended (close code ${code}${text && `: ${text}`})`);
    }
    const colon = text.indexOf(":");
    const word = colon < 0 ? text : text.slice(0, colon);
    const rest = colon < 0 ? "" : text.slice(colon + 1).trim();
    if (known === undefined) {
        return new EndedError(word || String(code), final, rest);
    }
    return new EndedError(known, final, word === known ? rest : text);
}
/**
 * Says what a frame of type `end` means.
 * @internal
 */
export function endFor(reason) {
    return new EndedError(reason, finalReasons.has(reason));
}
