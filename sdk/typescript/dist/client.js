import { Backoff } from "./backoff.js";
import { Connection } from "./connection.js";
import { EndedError } from "./errors.js";
import {} from "./frame.js";
import { Listeners } from "./listeners.js";
import { Replica } from "./replica.js";
import { socketConstructor, socketURL } from "./socket.js";
// The most bytes of a player's id.
const maxPlayer = 200;
/**
 * Keeps a copy of one player's public fields up to date, over WebSockets, one after the
 * other, until it is closed or the server says that it is of no use to come again. It
 * stays readable after that.
 */
export class Client {
    #listeners = new Listeners();
    #replica;
    #connect;
    #backoff;
    #ready = new Deferred();
    #connection;
    #timer;
    #connected = false;
    #end;
    /**
     * Begins to connect, and blocks nothing. A TypeError or RangeError is thrown for an
     * argument that nothing can be done with.
     *
     * @param url where the server's handler is: ws, wss, http or https, or relative to the
     *   page. A function is asked before each connection, for games with several servers.
     * @param player whose profile to watch: its id, as the game's server opens it
     */
    constructor(url, player, options = {}) {
        if (typeof player !== "string" || player === "" || new TextEncoder().encode(player).length > maxPlayer) {
            throw new TypeError(`a player's id has 1 to ${maxPlayer} bytes`);
        }
        if (typeof url !== "function") {
            socketURL(url);
        }
        this.#replica = new Replica(options, this.#listeners);
        this.#backoff = new Backoff(options.firstPause, options.longestPause);
        const plan = {
            url: asker(url),
            token: asker(options.token),
            player,
            webSocket: socketConstructor(options.webSocket),
            replica: this.#replica,
            up: () => this.#up(),
            down: (why, stood) => this.#down(why, stood),
        };
        this.#connect = () => new Connection(plan);
        this.#replica.loaded(() => this.#ready.resolve());
        this.#connection = this.#connect();
    }
    get hasLoaded() {
        return this.#replica.hasLoaded;
    }
    get loadError() {
        return this.#replica.loadError;
    }
    get saveError() {
        return this.#replica.saveError;
    }
    get(field) {
        return this.#replica.get(field);
    }
    fields() {
        return this.#replica.fields();
    }
    updated(field, tell) {
        return this.#replica.updated(field, tell);
    }
    loaded(tell) {
        return this.#replica.loaded(tell);
    }
    saved(tell) {
        return this.#replica.saved(tell);
    }
    /** Whether there is a connection over which the server has said where the client stands. */
    get isConnected() {
        return this.#connected;
    }
    /** Why the client has given up, if it has. */
    get end() {
        return this.#end;
    }
    /**
     * Calls a function when a connection stands, and, with false and why, when one has ended
     * or could not be made: the client comes again then. An EndedError says what the server
     * has said, such as `moved`.
     */
    connected(tell) {
        return this.#listeners.add("connected", tell);
    }
    /** Calls a function when the client gives up, with why: that is final. close is not told of. */
    ended(tell) {
        return this.#listeners.add("ended", tell);
    }
    /**
     * Waits for the first state. It rejects if there will be none: with an EndedError if the
     * client has given up, with an AbortError if it was closed.
     */
    waitLoaded() {
        return this.#ready.promise.then();
    }
    /** Ends the client. No function is called any more, and no timer is left. Closing twice is the same. */
    close() {
        this.#listeners.clear();
        this.#stop();
        this.#ready.reject(new DOMException("the client was closed", "AbortError"));
    }
    #stop() {
        clearTimeout(this.#timer);
        this.#connection?.close();
        this.#connection = undefined;
        this.#connected = false;
    }
    #up() {
        if (!this.#connected) {
            this.#connected = true;
            this.#listeners.tell((l) => (l.topic === "connected" ? [true, undefined] : undefined));
        }
    }
    #down(why, stood) {
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
    resolve;
    reject;
    promise = new Promise((resolve, reject) => {
        this.resolve = resolve;
        this.reject = reject;
    });
    constructor() {
        this.promise.catch(() => { });
    }
}
function asker(given) {
    return async () => (typeof given === "function" ? given() : given);
}
