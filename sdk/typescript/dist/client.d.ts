import { EndedError } from "./errors.js";
import { type Code, type FrameOptions } from "./frame.js";
import { type AnyFields, type View } from "./replica.js";
import { type SocketConstructor } from "./socket.js";
import type { Immutable } from "./value.js";
/** A value, or what gets it anew for each connection. An error of that is like a connection that fails. */
export type Asked<T> = T | (() => T | Promise<T>);
/** Options of a Client. */
export interface ClientOptions extends FrameOptions {
    /** What the game's server checks, such as a player token. Absent: none is sent. */
    token?: Asked<string | undefined> | undefined;
    /**
     * The pauses between connections, in milliseconds: the first, and what it grows to while
     * none succeeds. 250 and 15,000 by default; at least 1.
     */
    firstPause?: number | undefined;
    longestPause?: number | undefined;
    /** What makes WebSockets. By default the one that is there: Node before 22 has none. */
    webSocket?: SocketConstructor | undefined;
}
/**
 * Keeps a copy of one player's public fields up to date, over WebSockets, one after the
 * other, until it is closed or the server says that it is of no use to come again. It
 * stays readable after that.
 */
export declare class Client<F extends object = AnyFields> implements View<F> {
    #private;
    /**
     * Begins to connect, and blocks nothing. A TypeError or RangeError is thrown for an
     * argument that nothing can be done with.
     *
     * @param url where the server's handler is: ws, wss, http or https, or relative to the
     *   page. A function is asked before each connection, for games with several servers.
     * @param player whose profile to watch: its id, as the game's server opens it
     */
    constructor(url: Asked<string>, player: string, options?: ClientOptions);
    get hasLoaded(): boolean;
    get loadError(): Code | undefined;
    get saveError(): Code | undefined;
    get<K extends keyof F & string>(field: K): Immutable<F[K]> | undefined;
    fields(): Map<string, Immutable<F[keyof F]>>;
    updated<K extends keyof F & string>(field: K, tell: (value: Immutable<F[K]> | undefined) => void): () => void;
    loaded(tell: () => void): () => void;
    saved(tell: (error: Code | undefined) => void): () => void;
    /** Whether there is a connection over which the server has said where the client stands. */
    get isConnected(): boolean;
    /** Why the client has given up, if it has. */
    get end(): EndedError | undefined;
    /**
     * Calls a function when a connection stands, and, with false and why, when one has ended
     * or could not be made: the client comes again then. An EndedError says what the server
     * has said, such as `moved`.
     */
    connected(tell: (is: boolean, why: Error | undefined) => void): () => void;
    /** Calls a function when the client gives up, with why: that is final. close is not told of. */
    ended(tell: (why: EndedError) => void): () => void;
    /**
     * Waits for the first state. It rejects if there will be none: with an EndedError if the
     * client has given up, with an AbortError if it was closed.
     */
    waitLoaded(): Promise<void>;
    /** Ends the client. No function is called any more, and no timer is left. Closing twice is the same. */
    close(): void;
}
