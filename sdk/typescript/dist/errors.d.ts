/** A frame that is not of the protocol, or that does not fit the state. Nothing of it was applied. */
export declare class FrameError extends Error {
    readonly name = "FrameError";
}
/** A frame is missing before this one, which was not applied: come again with the position. */
export declare class GapError extends Error {
    readonly name = "GapError";
}
/**
 * Why nothing more comes: a word of the protocol, of which a later version may have more.
 * docs/replication.md says what each means.
 */
export type Reason = "malformed" | "version" | "forbidden" | "erased" | "absent" | "expired" | "moved" | "closed" | "lost" | "silent" | "crowded" | "failed" | "leaving" | (string & {});
/** The server has ended a connection, and said why. */
export declare class EndedError extends Error {
    readonly reason: Reason;
    readonly final: boolean;
    readonly detail: string;
    readonly name = "EndedError";
    /**
     * @param reason the word for why
     * @param final whether it is of no use to come again
     * @param detail what the server added for people; may be empty
     */
    constructor(reason: Reason, final: boolean, detail?: string);
}
