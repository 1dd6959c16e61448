/** What this package needs of a WebSocket: that of browsers and of Node has it, and that of the package ws. */
export interface Socket {
  readonly protocol: string;
  readonly bufferedAmount: number;
  binaryType: string;
  // Each of them has classes of its own for events. Of these, data, code and reason are read.
  onopen: ((event: any) => any) | null;
  onmessage: ((event: any) => any) | null;
  onclose: ((event: any) => any) | null;
  onerror: ((event: any) => any) | null;
  send(text: string): void;
  close(code?: number, reason?: string): void;
}

/** Makes a WebSocket. */
export type SocketConstructor = new (url: string, protocols: string[]) => Socket;

/** The subprotocol, with the version of what is said. @internal */
export const protocol = "holdfast.replica.v1";

/** Returns what makes WebSockets, or throws a TypeError if there is nothing. @internal */
export function socketConstructor(given: SocketConstructor | undefined): SocketConstructor {
  const found = given ?? (globalThis as { WebSocket?: unknown }).WebSocket;
  if (typeof found !== "function") {
    throw new TypeError("there is no WebSocket here: give one as the option webSocket, such as that of the package ws");
  }
  return found as SocketConstructor;
}

/**
 * Returns a URL as every WebSocket takes it: absolute, with the scheme ws or wss, without
 * a fragment. Relative ones are resolved against the page. It throws a TypeError if that
 * cannot be had.
 * @internal
 */
export function socketURL(url: unknown): string {
  if (typeof url !== "string") {
    throw new TypeError("the URL of the server is not text");
  }
  const page = (globalThis as { location?: { href?: string } }).location?.href;
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
