// Package replica shows players' clients what their profiles hold: the public
// fields, once as a whole and from then on as changes.
//
// # Nouns
//
// A [Server] stands beside a profile.Server and makes [Frame]s of what its profiles
// go through. A [Watcher] is one reader of one player's frames. A [Handler] carries
// them over WebSockets, one [Conn] for each client, to those whom the game's
// [Authorize] lets in; [PlayerTokens] is a ready-made one. On the other side a
// [Replica] is the client's copy, which frames are applied to, and a [Client] keeps
// one up to date over a WebSocket that it opens again and again.
//
//	rs, err := replica.NewServer(profiles, nil)
//	h, err := replica.NewHandler(rs, replica.PlayerTokens(publicKey), nil)
//	http.Handle("/replica", h)
//
//	c, err := replica.Dial("wss://game.example/replica", "42", &replica.ClientOptions{Token: login})
//	err = c.WaitLoaded(ctx)
//	err = c.Replica().Get("coins", &coins)
//	c.Replica().OnUpdated("coins", func(value json.RawMessage) { … })
//
// docs/replication.md has the protocol byte for byte. A game with a connection of its
// own sends the frames of a Watcher over that, and applies them to a Replica, or to
// whatever its client has.
//
// # The states of a player
//
// On the server, each player who is watched is a stream:
//
//	absent ──▶ watched ──▶ lingering ──▶ gone
//	              │  ▲          │
//	              │  └──────────┘
//	              └──▶ ended
//
// Absent, a watcher waits for the profile to be opened by the game, for
// Options.Patience at most. Watched, every update notes the paths that it has
// changed, while it has the profile locked; nothing is encoded then. At the next
// tick the stream reads what has become of those paths, under the profile's lock for
// reading, and makes one frame of it, under the next revision. So a frame goes from
// the state of one moment to that of a later one, whatever lay in between, and its
// cost is that of what was changed. Lingering, the last watcher has left: paths are
// noted and no frames are made, until somebody comes again within
// Options.Linger, who then gets one frame. Gone, nothing of the profile is noted any
// more, as if nobody had ever watched it. Ended, the profile has: each watcher gets
// what he has missed up to there, and the reason, and that is all.
//
// # Who owns what
//
// A stream keeps its last frames in a ring, bounded in bytes by Options.Backlog,
// which all its watchers share. A watcher is a position in that sequence. One who has
// fallen out of the ring, because he is slow or was away for long, is given the state
// anew: so a slow client costs as much memory as a quick one, and gets what is true
// now in place of what was. Resuming is the same thing: a position in the ring is
// continued, any other one begins with the state.
//
// A field that is made private empties the ring, since frames in it may hold the
// field's value: those who had taken all of it are told that the field is gone, the
// others get a state without it.
//
// Nothing runs for a player whom nobody watches, and no goroutine for one who is
// watched: one timer of the server fires a tick after a change, if there was one. A
// connection has a goroutine that reads. Writing is done by few that are shared: who
// is kept waiting by a client for more than some milliseconds leaves his place to
// another, so that clients who do not read hold up nobody.
//
// # What ends a watcher
//
// A profile that is handed over, closed, lost to another server or erased ends its
// streams, with [Moved], [Closed], [Lost] or [Erased]; the client comes again, perhaps
// to another server, and begins with the state of a new epoch there. A profile whose
// load failed, and that the game has on defaults, is shown like any other, with the
// load error in its state.
//
// # Errors
//
// Over the wire, errors are words ([Code], [Reason]); what the database said stays in
// the log. In Go, [ErrForbidden] and [ErrExpired] are what an Authorize refuses with.
// Any other error of his is [Failed] to the client, who comes again.
// [ErrGap] means that a frame is missing: the client has to come again with its
// position. [ErrFrame] means that a frame is not of the protocol. An [EndedError] says
// why a Watcher has ended or a Client has given up.
package replica
