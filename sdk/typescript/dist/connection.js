import { endOf, FrameError } from "./errors.js";
import { Silence } from "./silence.js";
import { protocol, socketURL } from "./socket.js";
// How long to wait for a connection, and then for its first frame, whose ping is not known before.
const firstWithin = 20_000;
// A connection is dead after so many pings were missed.
const silences = 2.5;
// Nothing but short answers is sent, so a server that has not taken so much of them does not read.
const maxUnsent = 64 * 1024;
// Close codes that a browser lets a page use.
const closedNormally = 1000;
const closedMalformed = 4000;
/**
 * One connection, from asking where to and with which token, to its end. What a socket
 * says after that, or an answer that comes too late, is heard by nobody.
 * @internal
 */
export class Connection {
    #plan;
    #silence = new Silence(() => this.#end(new Error("nothing was heard for too long")));
    #socket;
    #openedAt;
    #over = false;
    constructor(plan) {
        this.#plan = plan;
        this.#silence.allow(firstWithin);
        void this.#ask();
    }
    /** Ends the connection. Nobody is told. */
    close() {
        this.#leave(closedNormally);
    }
    async #ask() {
        try {
            const [url, token] = await Promise.all([this.#plan.url(), this.#plan.token()]);
            if (!this.#over) {
                this.#connect(socketURL(url), token);
            }
        }
        catch (error) {
            this.#end(error);
        }
    }
    #connect(url, token) {
        if (token !== undefined && typeof token !== "string") {
            throw new TypeError("the token is not text");
        }
        const socket = new this.#plan.webSocket(url, [protocol]);
        this.#socket = socket;
        socket.binaryType = "arraybuffer";
        socket.onopen = () => this.#greet(socket, token);
        socket.onmessage = (event) => this.#hear(socket, event.data);
        socket.onclose = (event) => this.#end(endOf(event.code, event.reason));
        // onclose follows at once and may know more; Node 20 leaves it out if no connection came about.
        socket.onerror = () => setTimeout(() => this.#end(new Error("the connection has failed")), 0);
    }
    #greet(socket, token) {
        this.#openedAt = performance.now();
        if (socket.protocol !== protocol) {
            this.#end(new Error(`what answers there does not speak ${protocol}`));
            return;
        }
        this.#silence.allow(firstWithin);
        const position = this.#plan.replica.resume();
        socket.send(JSON.stringify({ type: "hello", player: this.#plan.player, token, ...position }));
    }
    #hear(socket, data) {
        this.#silence.heard();
        try {
            const frame = this.#plan.replica.decode(data);
            if (frame?.type === "ping") {
                this.#pong(socket);
            }
            else if (frame !== undefined) {
                if (frame.type === "state" || frame.type === "resumed") {
                    this.#silence.allow(silences * frame.ping);
                }
                this.#plan.replica.accept(frame);
                if (!this.#over && (frame.type === "state" || frame.type === "resumed")) {
                    this.#plan.up();
                }
            }
        }
        catch (error) {
            this.#end(error);
        }
    }
    #pong(socket) {
        if (socket.bufferedAmount > maxUnsent) {
            throw new Error("the server does not read");
        }
        socket.send('{"type":"pong"}');
    }
    #end(why) {
        if (this.#over) {
            return;
        }
        const stood = this.#openedAt === undefined ? 0 : performance.now() - this.#openedAt;
        this.#leave(why instanceof FrameError ? closedMalformed : closedNormally);
        this.#plan.down(why instanceof Error ? why : new Error(String(why)), stood);
    }
    /** Lets go of the socket. */
    #leave(code) {
        this.#over = true;
        this.#silence.stop();
        const socket = this.#socket;
        if (socket === undefined) {
            return;
        }
        socket.onopen = null;
        socket.onmessage = null;
        socket.onclose = null;
        socket.onerror = () => { }; // to some, an error that nothing listens to is the end of the process
        socket.close(code);
    }
}
