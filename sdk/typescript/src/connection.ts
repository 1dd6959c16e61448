import { endOf, FrameError } from "./errors.js";
import type { Replica } from "./replica.js";
import { Silence } from "./silence.js";
import { protocol, type Socket, type SocketConstructor, socketURL } from "./socket.js";

// How long to wait for a connection, and then for its first frame, whose ping is not known before.
const firstWithin = 20_000;
// A connection is dead after so many pings were missed.
const silences = 2.5;
// Nothing but short answers is sent, so a server that has not taken so much of them does not read.
const maxUnsent = 64 * 1024;
// Close codes that a browser lets a page use.
const closedNormally = 1000;
const closedMalformed = 4000;

/** What a connection is made from, and whom it tells. @internal */
export interface Plan {
  readonly url: () => Promise<string>;
  readonly token: () => Promise<string | undefined>;
  readonly player: string;
  readonly webSocket: SocketConstructor;
  readonly replica: Pick<Replica, "resume" | "decode" | "accept">;
  /** Is called when the server has said where the client stands. */
  readonly up: () => void;
  /** Is called once, at the end, unless that was close: with why, and for how many milliseconds the connection stood. */
  readonly down: (why: Error, stood: number) => void;
}

/**
 * One connection, from asking where to and with which token, to its end. What a socket
 * says after that, or an answer that comes too late, is heard by nobody.
 * @internal
 */
export class Connection {
  readonly #plan: Plan;
  readonly #silence = new Silence(() => this.#end(new Error("nothing was heard for too long")));
  #socket: Socket | undefined;
  #openedAt: number | undefined;
  #over = false;

  constructor(plan: Plan) {
    this.#plan = plan;
    this.#silence.allow(firstWithin);
    void this.#ask();
  }

  /** Ends the connection. Nobody is told. */
  close(): void {
    this.#leave(closedNormally);
  }

  async #ask(): Promise<void> {
    try {
      const [url, token] = await Promise.all([this.#plan.url(), this.#plan.token()]);
      if (!this.#over) {
        this.#connect(socketURL(url), token);
      }
    } catch (error) {
      this.#end(error);
    }
  }

  #connect(url: string, token: string | undefined): void {
    if (token !== undefined && typeof token !== "string") {
      throw new TypeError("the token is not text");
    }
    const socket = new this.#plan.webSocket(url, [protocol]);
    this.#socket = socket;
    socket.binaryType = "arraybuffer";
    socket.onopen = () => this.#greet(socket, token);
    socket.onmessage = (event: { data: unknown }) => this.#hear(socket, event.data);
    socket.onclose = (event: { code: number; reason: string }) => this.#end(endOf(event.code, event.reason));
    // onclose follows at once and may know more; Node 20 leaves it out if no connection came about.
    socket.onerror = () => setTimeout(() => this.#end(new Error("the connection has failed")), 0);
  }

  #greet(socket: Socket, token: string | undefined): void {
    this.#openedAt = performance.now();
    if (socket.protocol !== protocol) {
      this.#end(new Error(`what answers there does not speak ${protocol}`));
      return;
    }
    this.#silence.allow(firstWithin);
    const position = this.#plan.replica.resume();
    socket.send(JSON.stringify({ type: "hello", player: this.#plan.player, token, ...position }));
  }

  #hear(socket: Socket, data: unknown): void {
    this.#silence.heard();
    try {
      const frame = this.#plan.replica.decode(data);
      if (frame?.type === "ping") {
        this.#pong(socket);
      } else if (frame !== undefined) {
        if (frame.type === "state" || frame.type === "resumed") {
          this.#silence.allow(silences * frame.ping);
        }
        this.#plan.replica.accept(frame);
        if (!this.#over && (frame.type === "state" || frame.type === "resumed")) {
          this.#plan.up();
        }
      }
    } catch (error) {
      this.#end(error);
    }
  }

  #pong(socket: Socket): void {
    if (socket.bufferedAmount > maxUnsent) {
      throw new Error("the server does not read");
    }
    socket.send('{"type":"pong"}');
  }

  #end(why: unknown): void {
    if (this.#over) {
      return;
    }
    const stood = this.#openedAt === undefined ? 0 : performance.now() - this.#openedAt;
    this.#leave(why instanceof FrameError ? closedMalformed : closedNormally);
    this.#plan.down(why instanceof Error ? why : new Error(String(why)), stood);
  }

  /** Lets go of the socket. */
  #leave(code: number): void {
    this.#over = true;
    this.#silence.stop();
    const socket = this.#socket;
    if (socket === undefined) {
      return;
    }
    socket.onopen = null;
    socket.onmessage = null;
    socket.onclose = null;
    socket.onerror = () => {}; // to some, an error that nothing listens to is the end of the process
    socket.close(code);
  }
}
