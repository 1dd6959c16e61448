/** The subprotocol, with the version of what is said. @internal */
export const protocol = "holdfast.replica.v1";
/** Returns what makes WebSockets, or throws a TypeError if there is nothing. @internal */
export function socketConstructor(given) {
    const found = given ?? globalThis.WebSocket;
    if (typeof found !== "function") {
        throw new TypeError("there is no WebSocket here: give one as the option webSocket, such as that of the package ws");
    }
    return found;
}
/**
 * Returns a URL as every WebSocket takes it: absolute, with the scheme ws or wss, without
 * a fragment. Relative ones are resolved against the page. It throws a TypeError if that
 * cannot be had.
 * @internal
 */
export function socketURL(url) {
    if (typeof url !== "string") {
        throw new TypeError("the URL of the server is not text");
    }
    const page = globalThis.location?.href;
    const parsed = new URL(url, page);
    if (parsed.protocol === "http:" || parsed.protocol === "https:") {
        parsed.protocol = parsed.protocol === "http:" ? "ws:" : "wss:";
    }
    if (parsed.protocol !== "ws:" && parsed.protocol !== "wss:") {
        throw new TypeError(`not the URL of a WebSocket: its scheme is ${parsed.protocol}`);
    }
    parsed.hash = "";
    return parsed.href;
}
