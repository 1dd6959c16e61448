// What the page asks the front for: logins, the test shop, killing a server, and news of
// the servers.

async function post(path, body) {
  const answer = await fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body ?? {}) });
  if (!answer.ok) throw new Error((await answer.text()).trim() || answer.statusText);
  return answer.status === 204 || answer.status === 202 ? undefined : answer.json();
}

export const newHero = () => post("api/heroes");
export const kill = (server) => post(`api/kill/${server}`);
export const buyProduct = (login, product, order) => post("api/shop", { id: login.id, key: login.key, product, order });
export const token = async (login) => (await post("api/token", { id: login.id, key: login.key })).token;

// servers calls a function with the state of all game servers, whenever it has changed.
export function servers(tell) {
  const events = new EventSource("api/events");
  events.onmessage = (e) => tell(JSON.parse(e.data).servers);
}
