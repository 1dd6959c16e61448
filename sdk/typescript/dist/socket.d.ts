/** What this package needs of a WebSocket: that of browsers and of Node has it, and that of the package ws. */
export interface Socket {
    readonly protocol: string;
    readonly bufferedAmount: number;
    binaryType: string;
    onopen: ((event: any) => any) | null;
    onmessage: ((event: any) => any) | null;
    onclose: ((event: any) => any) | null;
    onerror: ((event: any) => any) | null;
    send(text: string): void;
    close(code?: number, reason?: string): void;
}
/** Makes a WebSocket. */
export type SocketConstructor = new (url: string, protocols: string[]) => Socket;
