/**
 * A live copy of what a Holdfast game server shows a player of his data: all public
 * fields, and from then on what changes.
 *
 * A Client keeps one up to date over WebSockets. A Replica is the copy alone, for games
 * that carry the frames over a connection of their own. docs/replication.md has the
 * protocol.
 */
export { Client } from "./client.js";
export { EndedError, FrameError, GapError } from "./errors.js";
export { Replica } from "./replica.js";
