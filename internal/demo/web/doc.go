// Package web is what holdfast demo --web does: a small game in the browser, served by
// two game servers that share one database. It is also the example of how a game uses
// Holdfast.
//
// # The parts
//
//	browser ──▶ the front: one address, one page ──▶ amber: a game server, a process
//	            logins, the test shop, kill      └─▶ birch: another one, another isle
//	                                                   │ one database, one bus │
//
// [Run] is the front: it starts the servers, passes on what is for them, kills one when
// it is told to and puts a new process in its place. It keeps nothing of any hero.
// [Serve] is a game server. It owns the heroes who walk on its isle:
//
//   - everything that a hero owns is in his profile (hero.go): coins, bag, what he
//     wears, gems, letters, save slots;
//   - where he stands is in memory only (room.go): nobody misses it after a crash;
//   - what he does is a message of his page, answered when it is on disk (deeds.go);
//   - what he has comes to his page by package replica, from the profile itself, so that
//     no deed has to tell what it changed.
//
// To reload the page is to come back to a server that still has the hero. To go through
// the door is to come to the other server, which asks the first for him. When a server
// is killed, the page goes to the other one, which waits until the dead one's lease is
// over, replays its journal, and has the hero as he was when his last deed was answered.
package web
