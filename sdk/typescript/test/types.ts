// What compiles here, and what does not, is what the types promise.
import { Client, type Immutable, Replica, type SocketConstructor, type Value, type View } from "../src/holdfast-replica.js";

interface Fields {
  coins: number;
  bag: Record<string, { level: number; gems: string[] }>;
}

export const browsers: SocketConstructor = WebSocket;

export function typed(client: Client<Fields>): View<Fields> {
  const coins: number | undefined = client.get("coins");
  const level: number | undefined = client.get("bag")?.["sword"]?.level;
  client.updated("bag", (bag) => bag?.["sword"]?.gems.map((gem) => gem.length));
  // @ts-expect-error There is no such field.
  client.get("coinz");
  // @ts-expect-error What is handed out is not to be changed.
  client.get("bag")!["sword"]!.gems.push("ruby");
  // @ts-expect-error Nor is it of another type.
  client.updated("coins", (n: string) => n);
  void [coins, level];
  return client;
}

export function untyped(replica: Replica): Value | undefined {
  const value: Immutable<Value> | undefined = replica.get("anything");
  return value;
}
