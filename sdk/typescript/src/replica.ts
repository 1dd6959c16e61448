import { endFor, FrameError, GapError } from "./errors.js";
import { type Code, decode, type Frame, type FrameOptions, frameOptions } from "./frame.js";
import { Listeners } from "./listeners.js";
import { patch } from "./patch.js";
import { type Immutable, same, type Value } from "./value.js";

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
export class Replica<F extends object = AnyFields> implements View<F> {
  readonly #options: ReturnType<typeof frameOptions>;
  readonly #listeners: Listeners;
  #fields: Map<string, unknown> | undefined;
  #position: Position | undefined;
  #placed = false; // the server has said where this connection begins
  #loadError: Code | undefined;
  #saveError: Code | undefined;

  /** Throws a RangeError or TypeError if an option is out of its range. */
  constructor(options?: FrameOptions);
  /** @internal */
  constructor(options: FrameOptions, listeners: Listeners);
  constructor(options: FrameOptions = {}, listeners = new Listeners()) {
    this.#options = frameOptions(options);
    this.#listeners = listeners;
  }

  get hasLoaded(): boolean {
    return this.#fields !== undefined;
  }

  get loadError(): Code | undefined {
    return this.#loadError;
  }

  get saveError(): Code | undefined {
    return this.#saveError;
  }

  get<K extends keyof F & string>(field: K): Immutable<F[K]> | undefined {
    return this.#fields?.get(field) as Immutable<F[K]> | undefined;
  }

  fields(): Map<string, Immutable<F[keyof F]>> {
    return new Map(this.#fields) as Map<string, Immutable<F[keyof F]>>;
  }

  updated<K extends keyof F & string>(field: K, tell: (value: Immutable<F[K]> | undefined) => void): () => void {
    return this.#listeners.add("updated", tell, field);
  }

  loaded(tell: () => void): () => void {
    return this.#listeners.add("loaded", tell);
  }

  saved(tell: (error: Code | undefined) => void): () => void {
    return this.#listeners.add("saved", tell);
  }

  /**
   * Begins with a new connection: returns the position to tell the server, undefined if
   * there is none. What comes next has to be a state, or that the server goes on from there.
   */
  resume(): Position | undefined {
    this.#placed = false;
    return this.#position;
  }

  /**
   * Applies a frame, as text. One that came twice, or of a type that is not known, changes
   * nothing. It throws, and has applied nothing: a GapError if the client has to come again
   * with its position; a FrameError if it has to come again and has no position any more;
   * an EndedError if the frame says that nothing follows.
   */
  apply(text: string): void {
    const frame = this.decode(text);
    if (frame !== undefined) {
      this.accept(frame);
    }
  }

  /** @internal */
  decode(text: unknown): Frame | undefined {
    return this.#orForget(() => decode(text, this.#options));
  }

  /** @internal */
  accept(frame: Frame): void {
    switch (frame.type) {
      case "state":
        return this.#begin(frame);
      case "resumed":
        return this.#orForget(() => this.#goOn(frame.rev));
      case "change":
      case "saved":
        return this.#orForget(() => this.#follow(frame));
      case "end":
        throw endFor(frame.reason);
      case "ping":
    }
  }

  /** Runs fn. After a FrameError there is no position any more: the server has to send the state. */
  #orForget<T>(fn: () => T): T {
    try {
      return fn();
    } catch (error) {
      if (error instanceof FrameError) {
        this.#position = undefined;
      }
      throw error;
    }
  }

  #begin(state: Frame & { type: "state" }): void {
    const before = this.#fields;
    const { epoch, rev, fields } = state;
    const changed = new Set(before === undefined ? [] : [...before.keys()].filter((name) => !fields.has(name)));
    for (const [name, value] of before === undefined ? [] : fields) {
      const old = before?.get(name);
      if (old !== undefined && same(old, value)) {
        fields.set(name, old); // whoever compares by identity sees no change
      } else {
        changed.add(name);
      }
    }
    this.#fields = fields;
    this.#position = { epoch, rev };
    this.#placed = true;
    this.#loadError = state.loadError;
    this.#saveError = state.saveError;
    this.#listeners.tell((l) => {
      if (l.topic === "loaded" && before === undefined) {
        return [];
      }
      return this.#update(l, changed, fields);
    });
  }

  #goOn(rev: number): void {
    const at = this.#position;
    if (at === undefined || (this.#placed ? rev > at.rev : rev !== at.rev)) {
      throw new FrameError(`the server goes on from revision ${rev}, and the state is at ${at?.rev ?? "none"}`);
    }
    this.#placed = true;
  }

  #follow(frame: Frame & { type: "change" | "saved" }): void {
    const fields = this.#fields;
    const at = this.#position;
    if (fields === undefined || at === undefined || !this.#placed) {
      throw new GapError(`revision ${frame.rev} came before a state`);
    }
    if (frame.rev <= at.rev) {
      return; // it came twice
    }
    if (frame.rev !== at.rev + 1) {
      throw new GapError(`revision ${frame.rev} came, and the state is at ${at.rev}`);
    }
    if (frame.type === "saved") {
      this.#position = { epoch: at.epoch, rev: frame.rev };
      this.#saveError = frame.error;
      this.#listeners.tell((l) => (l.topic === "saved" ? [frame.error] : undefined));
      return;
    }
    const touched = patch(fields, frame.ops);
    this.#position = { epoch: at.epoch, rev: frame.rev };
    this.#put(fields, touched);
  }

  /** Gives fields what a change has made of them, and tells of it. */
  #put(fields: Map<string, unknown>, touched: Map<string, unknown>): void {
    const changed = new Set<string>();
    for (const [name, value] of touched) {
      if (same(fields.get(name), value)) {
        continue;
      }
      changed.add(name);
      if (value === undefined) {
        fields.delete(name);
      } else {
        fields.set(name, value);
      }
    }
    this.#listeners.tell((l) => this.#update(l, changed, touched));
  }

  #update(
    { topic, field }: { topic: string; field: string | undefined },
    changed: ReadonlySet<string>,
    values: ReadonlyMap<string, unknown>,
  ): readonly unknown[] | undefined {
    return topic === "updated" && field !== undefined && changed.has(field) ? [values.get(field)] : undefined;
  }
}
