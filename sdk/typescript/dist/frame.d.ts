/**
 * Why a load or a save failed: a word of the protocol, of which a later version may have
 * more. docs/replication.md says what each means.
 */
export type Code = "locked" | "damaged" | "newer" | "unavailable" | "failed" | (string & {});
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
