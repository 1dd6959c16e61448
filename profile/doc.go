// Package profile gives a game typed fields over the data of its players.
//
// # Nouns
//
// A [Schema] names a kind of profile ("player", "guild") and its fields. A
// [Field] is a typed handle, made once, usually in a package variable, and used
// with every profile. A [Server] opens profiles; it owns a session.Server, and
// one goroutine for autosaves. A [Profile] is what one player has, in memory,
// from [Server.Open] to [Profile.Close]; while it is open no other server
// changes it. A [Tx] is one update of it under way.
//
//	var (
//		Coins  = profile.Int("coins", 500, profile.Min(0))
//		Bag    = profile.Map[Item]("bag")
//		Player = profile.NewSchema("player", Coins, Bag)
//	)
//
//	srv, err := profile.Open(ctx, db, Player, nil)
//	p, err := srv.Open(ctx, "42", nil)
//	err = p.Update(func(tx *profile.Tx) error {
//		Coins.Add(tx, -price)
//		return Bag.Put(tx, "sword", sword)
//	})
//
// # Reading
//
// A field reads from a [Reader]: a *Profile, a *Tx, or what [Profile.View]
// hands out for several reads of one moment. Int, Float and Bool are decoded
// when a profile is loaded; all others when they are first read, and a Map
// decodes only the element that is asked for. What was decoded is kept and
// shared by all readers, so a slice, map or pointer inside of a value must not
// be changed in place: it would change nothing that is saved, and
// [VerifyUnchanged] finds it out in tests. To change such a value, use Edit,
// which works on a copy. So that a value of another type is found before it can
// do harm, a load decodes every field once and keeps only the numbers.
//
// # Updating
//
// [Profile.Update] is all or nothing, in memory, without I/O. If the function
// returns an error or panics, or any write in it was refused, nothing of it
// remains, and no reader has seen anything of it. A write encodes its value at
// once and is refused there, with the field's name and the reason, if the value
// is out of bounds, not encodable, not UTF-8, too deep or too large. The
// encoding is what is journalled, saved and sent to others, so an update costs
// what it touches and never the size of the profile.
//
// Inside the function all reads and writes go through the Tx. Calling a method
// that locks the same profile, such as Update or a Get on the *Profile, waits
// for itself for ever; after a second the log shows both stacks.
//
// Bounds and validations hold for what is written. What was stored under
// another rule reads as it is and can be replaced by what the rule allows.
//
// # Operations and copies
//
// A function cannot travel to the server that has a profile open, but a list
// of [Op] can: a write is made by a field's method of the same name with Op after
// it, a condition by one that begins with Expect, and [Tx.Apply] makes them all in
// one update, or none.
//
//	text, err := profile.EncodeOps([]profile.Op{
//		Coins.ExpectAtLeastOp(80),
//		Coins.AddOp(-80),
//		Bag.PutOp("sword", sword),
//	})
//
// Whoever only wants to look reads a [Copy] with [Server.Peek], without the
// profile's lock and whoever holds it. Fields read from it as from any Reader.
//
// # By id
//
// From any server, for a player who is open there, on another server, or nowhere:
//
//	get      srv.Peek(ctx, id), then Coins.Get(c), or c.Fields() for all of it
//	change   srv.Change(ctx, id, ops, nil): several fields together, all or none
//	flush    srv.Flush(ctx, id): what was changed up to now is in the root on disk
//	follow   srv.Follow(ctx, id, fn, nil): a live copy, and each change of it
//	forget   Follower.Close drops the copy; Peek keeps none
//
// A change of a player who is open here is an update like any other. Else it is a
// message to the profile, of a topic that every server handles: it is on disk
// before anybody is asked, and is made once, by whoever has the player by then. If
// his server is silent for as long as ctx allows, the answer is a [PendingError]
// with the change's id, and [Server.Changed] tells later what came of it. To set a
// value only if nobody else has changed it meanwhile, send a condition on it
// along; one on the revision fails more often than needed, as every message that
// is handled counts as an update too.
//
// A [Follower] costs the server that has the profile nothing with an update: only
// what an append has put on disk is told, after it, to the servers that asked for
// it within the last seconds. Whatever is told is durable, and nothing is missed;
// where a step may be missing, the database is read and the difference is told.
//
// # When data are safe
//
// An update is in the journal on disk within session.Options.AppendEvery, and
// in the player's root with the next save. Two words wait for it: an update with
// [Durable] returns when all up to it is on disk in the journal, and
// [Profile.Save] when all is in the root. Closing saves too.
//
// # Defaults, unknown fields, encodings
//
// A field that is not stored reads as its default; nothing is stored until it
// is written. Each profile has defaults of its own. A stored Value of a struct
// type is decoded over a copy of the default, so a member that it lacks has the
// default's value, while a member that it has, even a zero or an empty list, is
// kept; [Reconcile] says the same of values of the type any and of maps. Stored fields
// that the schema does not know are kept as they are, and so are members that a struct
// lacks, when a server of an older version writes a Value, an element of a Map, or
// edits one of a List. Types that decode themselves, and elements of lists and maps
// inside of lists, are written as the program has them.
//
// Values are encoded as package encoding/json encodes them, and what that
// would repair silently is refused: invalid UTF-8 and names that occur twice.
// Numbers in an "any" decode as float64, as they do there; a type with int64 or
// json.Number keeps all digits. A type's own UnmarshalJSON must read what its
// MarshalJSON writes; a write is refused if it does not.
//
// # Migrations and imports
//
// A game's data outlive many of its versions. A [Migration] of the schema brings
// what an older version has stored into the form of this one, once for each profile,
// before anybody has it: its effect and the note of it are one update. A new
// profile is born in the newest form. A program meets migrations that it does not
// know, as while a rollout is under way: it goes on with those that are marked
// compatible, and refuses the others, [ErrNewerSchema], leaving what is stored as it
// is. [CheckSchema] tells before a rollout what would fail. What an older store has
// of a player comes in by Options.Import, once.
//
// # Fields that are not stored, or not as they are read
//
// A field with the option [Volatile] is kept in memory from the opening of a profile
// to its end, and is otherwise like any: what an update does to stored and to volatile
// fields happens together or not at all, and listeners hear of both. It costs no
// I/O, and a crash, a hand-over and a closing reset it.
//
// A [PlayTime] grows by itself while the game has the profile open. Growing is no
// update: it makes nothing dirty, is told to nobody and causes no save. What has grown
// is part of every save that happens anyway, so a crash loses what has grown since the
// last one, and a player who does nothing costs nothing.
//
// A [Computed] field follows from others. It is computed when it is read, kept until
// something that it depends on is written, and part of the schema so that clients can
// be sent it like a stored one. Nobody can write it.
//
//	Target = profile.String("target", "", profile.Volatile())
//	Played = profile.PlayTime("played")
//	Level  = profile.Computed("level", func(r profile.Reader) int { return levelOf(XP.Get(r)) }, XP)
//
// A [Copy] and a live copy have the default of the first, the saved time of the second,
// and compute the third from what they hold.
//
// # Profiles that did not load
//
// If the stored bytes are damaged, a migration fails or is not known, or a field
// holds a value of another type,
// or the player stays locked by another server until the context's deadline,
// then [Server.Open] returns an errored profile, unless Options.OnLoadError says
// to refuse. It is on defaults, can be read and updated in memory, and [Profile.Err] says
// why. It is never saved, it refuses everything durable and every update
// together with other profiles, and it holds no lock. To try again, close it
// and open it anew. All other errors, as of a context that was cancelled, are
// returned. To have never been stored is no error: it gives a new profile.
//
// # Events
//
// Listeners are told after the update, outside of its lock, in the order of
// the updates, with the values before and after. The goroutine that updated
// delivers; if another one is delivering at that time, that one goes on with
// the new events, so that there is never more than one. Update may thus return
// before its own events were delivered. With Options.ManualEvents nothing is
// delivered until the game calls [Profile.DrainEvents]. Nothing is dropped: when
// [MaxQueuedEvents] wait, further updates are refused with [ErrEventsFull].
// Without listeners nothing is collected.
//
// # Concurrency
//
// All methods of Server, Profile and the fields are safe for concurrent use. A
// Tx belongs to the function that it was given to and to its goroutine.
package profile
