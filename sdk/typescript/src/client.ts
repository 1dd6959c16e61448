import { Backoff } from "./backoff.js";
import { Connection } from "./connection.js";
import { EndedError } from "./errors.js";
import { type Code, type FrameOptions } from "./frame.js";
import { Listeners } from "./listeners.js";
import { type AnyFields, Replica, type View } from "./replica.js";
import { type SocketConstructor, socketConstructor, socketURL } from "./socket.js";
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

// The most bytes of a player's id.
const maxPlayer = 200;

/**
 * Keeps a copy of one player's public fields up to date, over WebSockets, one after the
 * other, until it is closed or the server says that it is of no use to come again. It
 * stays readable after that.
 */
export class Client<F extends object = AnyFields> implements View<F> {
  readonly #listeners = new Listeners();
  readonly #replica: Replica<F>;
  readonly #connect: () => Connection;
  readonly #backoff: Backoff;
  readonly #ready = new Deferred();
  #connection: Connection | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #connected = false;
  #end: EndedError | undefined;

  /**
   * Begins to connect, and blocks nothing. A TypeError or RangeError is thrown for an
   * argument that nothing can be done with.
   *
   * @param url where the server's handler is: ws, wss, http or https, or relative to the
   *   page. A function is asked before each connection, for games with several servers.
   * @param player whose profile to watch: its id, as the game's server opens it
   */
  constructor(url: Asked<string>, player: string, options: ClientOptions = {}) {
    if (typeof player !== "string" || player === "" || new TextEncoder().encode(player).length > maxPlayer) {
      throw new TypeError(`a player's id has 1 to ${maxPlayer} bytes`);
    }
    if (typeof url !== "function") {
      socketURL(url);
    }
    this.#replica = new Replica<F>(options, this.#listeners);
    this.#backoff = new Backoff(options.firstPause, options.longestPause);
    const plan = {
      url: asker(url),
      token: asker(options.token),
      player,
      webSocket: socketConstructor(options.webSocket),
      replica: this.#replica,
      up: () => this.#up(),
      down: (why: Error, stood: number) => this.#down(why, stood),
    };
    this.#connect = () => new Connection(plan);
    this.#replica.loaded(() => this.#ready.resolve());
    this.#connection = this.#connect();
  }

  get hasLoaded(): boolean {
    return this.#replica.hasLoaded;
  }

  get loadError(): Code | undefined {
    return this.#replica.loadError;
  }

  get saveError(): Code | undefined {
    return this.#replica.saveError;
  }

  get<K extends keyof F & string>(field: K): Immutable<F[K]> | undefined {
    return this.#replica.get(field);
  }

  fields(): Map<string, Immutable<F[keyof F]>> {
    return this.#replica.fields();
  }

  updated<K extends keyof F & string>(field: K, tell: (value: Immutable<F[K]> | undefined) => void): () => void {
    return this.#replica.updated(field, tell);
  }

  loaded(tell: () => void): () => void {
    return this.#replica.loaded(tell);
  }

  saved(tell: (error: Code | undefined) => void): () => void {
    return this.#replica.saved(tell);
  }

  /** Whether there is a connection over which the server has said where the client stands. */
  get isConnected(): boolean {
    return this.#connected;
  }

  /** Why the client has given up, if it has. */
  get end(): EndedError | undefined {
    return this.#end;
  }

  /**
   * Calls a function when a connection stands, and, with false and why, when one has ended
   * or could not be made: the client comes again then. An EndedError says what the server
   * has said, such as `moved`.
   */
  connected(tell: (is: boolean, why: Error | undefined) => void): () => void {
    return this.#listeners.add("connected", tell);
  }

  /** Calls a function when the client gives up, with why: that is final. close is not told of. */
  ended(tell: (why: EndedError) => void): () => void {
    return this.#listeners.add("ended", tell);
  }

  /**
   * Waits for the first state. It rejects if there will be none: with an EndedError if the
   * client has given up, with an AbortError if it was closed.
   */
  waitLoaded(): Promise<void> {
    return this.#ready.promise.then();
  }

  /** Ends the client. No function is called any more, and no timer is left. Closing twice is the same. */
  close(): void {
    this.#listeners.clear();
    this.#stop();
    this.#ready.reject(new DOMException("the client was closed", "AbortError"));
  }

  #stop(): void {
    clearTimeout(this.#timer);
    this.#connection?.close();
    this.#connection = undefined;
    this.#connected = false;
  }

  #up(): void {
    if (!this.#connected) {
      this.#connected = true;
      this.#listeners.tell((l) => (l.topic === "connected" ? [true, undefined] : undefined));
    }
  }

  #down(why: Error, stood: number): void {
    this.#stop();
    if (why instanceof EndedError && why.final) {
      this.#end = why;
      this.#ready.reject(why);
      this.#listeners.tell((l) => (l.topic === "ended" ? [why] : undefined));
      return;
    }
    this.#timer = setTimeout(() => {
      this.#connection = this.#connect();
    }, this.#backoff.after(stood));
    this.#listeners.tell((l) => (l.topic === "connected" ? [false, why] : undefined));
  }
}

/** A promise that others settle. Nobody has to wait for it. */
class Deferred {
  resolve!: () => void;
  reject!: (why: unknown) => void;
  readonly promise = new Promise<void>((resolve, reject) => {
    this.resolve = resolve;
    this.reject = reject;
  });

  constructor() {
    this.promise.catch(() => {});
  }
}

function asker<T>(given: Asked<T>): () => Promise<T> {
  return async () => (typeof given === "function" ? (given as () => T | Promise<T>)() : given);
}
