// Package holdfast is the root of Holdfast, which keeps the data of a game's
// players: loaded once, owned by one game server at a time, changed in memory at
// game speed, saved in the background, never lost and never duplicated.
//
// It holds no code. A game server begins with package profile, over a database
// from package sqlite:
//
//	db, err := sqlite.Open(ctx, "players.db", nil)
//	st, err := store.New(db, nil)
//	srv, err := profile.Open(ctx, st, Player, nil)
//	p, err := srv.Open(ctx, "42")
//
// The layers, from the bottom: driver (what a database must do), mem, sqlite and
// postgres (databases), store (order, retries, outcomes), bus (messages between
// servers), document (one player's encoded fields), session (locks, journal,
// hand-over), profile (typed fields). ARCHITECTURE.md tells how they work
// together, docs/guarantees.md which test shows which promise.
package holdfast
