import { type Code, type FrameOptions } from "./frame.js";
import { type Immutable, type Value } from "./value.js";
/** Where a client stands: the state of a revision. Those of another epoch say nothing about it. */
export interface Position {
    readonly epoch: string;
    readonly rev: number;
}
/** Names the types of fields, for games that have not said which there are. */
export interface AnyFields {
    [field: string]: Value;
}
/**
 * What is known of a player. Values are frozen, and stay the same object until they
 * change. Their objects have no prototype: `value.constructor` is what the server has
 * sent under that name, or undefined.
 *
 * Functions that are registered are called once all of a frame has been applied, in the
 * order in which they were registered. Each registration returns a function that ends it.
 * An error that one throws keeps no other from being called, and is then uncaught.
 */
export interface View<F extends object = AnyFields> {
    /** Whether a state has come. */
    readonly hasLoaded: boolean;
    /** Why the player's data could not be loaded, as the last state says: the fields are defaults then, and are never saved. */
    readonly loadError: Code | undefined;
    /** Why the last save failed; undefined after one that did not. */
    readonly saveError: Code | undefined;
    /** Returns the value of a field, or undefined: nothing has loaded yet, it is private, or there is no such field. */
    get<K extends keyof F & string>(field: K): Immutable<F[K]> | undefined;
    /** Returns all fields by name. The map is the caller's own. */
    fields(): Map<string, Immutable<F[keyof F]>>;
    /**
     * Calls a function with the value of a field after each frame that gave it another one,
     * undefined if it is gone. Of the first state it is not called.
     */
    updated<K extends keyof F & string>(field: K, tell: (value: Immutable<F[K]> | undefined) => void): () => void;
    /** Calls a function once, after the first state. If that has come already, it is not called: see hasLoaded. */
    loaded(tell: () => void): () => void;
    /** Calls a function after each save that the server tells of, with why it failed if it did. */
    saved(tell: (error: Code | undefined) => void): () => void;
}
/**
 * A copy of a player's public fields, for games that carry frames over a connection of
 * their own. It is what a Client keeps up to date by itself.
 */
export declare class Replica<F extends object = AnyFields> implements View<F> {
    #private;
    /** Throws a RangeError or TypeError if an option is out of its range. */
    constructor(options?: FrameOptions);
    get hasLoaded(): boolean;
    get loadError(): Code | undefined;
    get saveError(): Code | undefined;
    get<K extends keyof F & string>(field: K): Immutable<F[K]> | undefined;
    fields(): Map<string, Immutable<F[keyof F]>>;
    updated<K extends keyof F & string>(field: K, tell: (value: Immutable<F[K]> | undefined) => void): () => void;
    loaded(tell: () => void): () => void;
    saved(tell: (error: Code | undefined) => void): () => void;
    /**
     * Begins with a new connection: returns the position to tell the server, undefined if
     * there is none. What comes next has to be a state, or that the server goes on from there.
     */
    resume(): Position | undefined;
    /**
     * Applies a frame, as text. One that came twice, or of a type that is not known, changes
     * nothing. It throws, and has applied nothing: a GapError if the client has to come again
     * with its position; a FrameError if it has to come again and has no position any more;
     * an EndedError if the frame says that nothing follows.
     */
    apply(text: string): void;
}
