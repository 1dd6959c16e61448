import { Client } from "@holdfast-games/replica";

interface Player {
  coins: number;
  bag: Record<string, { level: number }>;
}

const me = new Client<Player>("wss://game.example/replica", "42", {
  token: async () => (await fetch("/login/token")).text(), // asked before each connection
});

me.updated("coins", (coins) => console.log("coins:", coins));
me.updated("bag", (bag) => console.log("the sword has level", bag?.sword?.level));
me.saved((error) => console.log(error ? `not saved yet: ${error}` : "saved"));
me.connected((is, why) => console.log(is ? "connected" : `connecting again: ${why?.message}`));
me.ended((why) => console.log("this is over:", why.reason));

await me.waitLoaded();
console.log(me.loadError ? "your data could not be loaded, play is not saved" : "welcome", me.get("coins"));
