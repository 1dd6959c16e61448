// Package roblox reads what modules for Roblox keep in data stores: so that a
// game's players come along when the game moves to Holdfast.
//
// # Nouns
//
// An [Entry] is one entry of a data store, as an export holds it. A [Form] is how
// one module lays out what it keeps there. [Form.Place] says whose entry it is,
// and [Form.Decode] returns a [Record]: the player's data as the fields of one
// Holdfast document, and what the module had beside them.
//
//	e := &roblox.Entry{Key: "Player_42", Value: text}
//	r, err := roblox.ProfileStore.Decode(e, nil)
//
// The command holdfast import --from is these calls for a whole export. A game
// that would rather bring a player over when he first joins makes them in the
// function that it imports players with. The package reads no file and asks no
// service.
//
// # Forms
//
//	Nexus         Nexus Data Store, and PlayerDataStore before it: keys PlayerList$42;
//	              the table is the data
//	ProfileStore  ProfileStore and ProfileService: Data in an envelope with MetaData,
//	              GlobalUpdates, RobloxMetaData and UserIds; keys as the game chose
//	DataStore2    data stores NAME/42 of numbered backups, the highest being the
//	              newest, and ordered data stores of the same names that list the
//	              numbers; or, saved the standard way, data stores NAME with keys 42
//	Lapis         data in an envelope with migrationVersion, lastCompatibleVersion and
//	              lockId; keys as the game chose
//	Plain         the table is the data: what a game writes without a module, or with
//	              one that adds nothing to it: PlayerData.Server, the sample of Roblox
//	              itself, whose SessionLockedDataStoreWrapper locks in the metadata
//	              (lockId), and Suphi's DataStore module while its Compress is off;
//	              keys as the game chose
//
// # Tables as JSON
//
// Roblox stores a table as JSON, which knows less than a table:
//
//   - An empty table is [], whether it was a list or a map. Options.Maps says which
//     are maps and become {}; what is left is listed in Record.Lists.
//   - A whole number may be written 1e+15 or 5.0, and becomes 1000000000000000 or 5,
//     so that an integer field reads it. No value changes.
//   - An object whose names are numbers, {"3":"sword"}, stays an object: it was a
//     table with such text as keys, and holes in it are not there to be seen.
//   - null is refused with its place: a table holds no nil, so a list with holes was
//     not written by Roblox, and where its elements belong is for people to say.
//   - NaN and infinity are no JSON and are refused with their place, and so is a
//     number too large for a double, as infinity is written by some programs.
//
// A name that occurs twice in one object and invalid UTF-8 are refused too, as
// everywhere in Holdfast.
//
// Everything here is safe for concurrent use, and returns at once.
package roblox
