/** What a function is told of. @internal */
export type Topic = "updated" | "loaded" | "saved" | "connected" | "ended";

/** One function that was registered. @internal */
export interface Listener {
  readonly topic: Topic;
  readonly field: string | undefined; // of updated
  readonly tell: (...what: never[]) => void;
}

/**
 * Functions that are told of something, in the order in which they were registered. One
 * that throws keeps none of the others from being told: its error goes where those of event
 * handlers go, uncaught. Once a function is taken out, it is not called any more.
 * @internal
 */
export class Listeners {
  readonly #all = new Set<Listener>();
  readonly #queue: Array<() => void> = [];
  #telling = false;

  /** Registers a function, and returns what takes it out again. */
  add(topic: Topic, tell: (...what: never[]) => void, field?: string): () => void {
    if (typeof tell !== "function") {
      throw new TypeError(`what is to be told of ${topic} is not a function`);
    }
    const listener: Listener = { topic, field, tell };
    this.#all.add(listener);
    return () => void this.#all.delete(listener);
  }

  /** Takes all functions out. */
  clear(): void {
    this.#all.clear();
  }

  /**
   * Tells those for whom `what` returns arguments. If one of them makes something else
   * happen meanwhile, that is told after this, so that each hears things in their order.
   */
  tell(what: (l: Listener) => readonly unknown[] | undefined): void {
    for (const listener of this.#all) {
      const args = what(listener);
      if (args !== undefined) {
        this.#queue.push(() => this.#call(listener, args));
      }
    }
    if (this.#telling) {
      return;
    }
    this.#telling = true;
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
      next();
    }
    this.#telling = false;
  }

  #call(listener: Listener, args: readonly unknown[]): void {
    if (!this.#all.has(listener)) {
      return;
    }
    try {
      listener.tell(...(args as never[]));
    } catch (error) {
      queueMicrotask(() => {
        throw error;
      });
    }
  }
}
