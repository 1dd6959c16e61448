// Package archive writes everything that is kept of one player into one file, which
// the player can read: what a data protection law calls access, or portability.
//
// # Nouns
//
// [Write] writes an archive: a ZIP file of JSON files, with a README that says what is
// what. A [Summary] says what went in. There is nothing to configure.
//
// # What is in it
//
// The present data as the player's server has them, milliseconds old if he is playing;
// all older versions that are kept; purchases, messages and dead letters; and, so that
// nothing is missed whoever has put it there, every entry of the database that belongs
// to the player: those under his key, those that an index entry names (see
// session.IndexKey), and values of named stores that are tagged with his id. Bytes
// that cannot be decoded are included as they are, with a note.
//
// Not in it is what servers have journalled and saved since, which is gone within
// seconds; what is kept for followers of the feed, which says the same once more; and
// what other players' data and messages say of him, which is theirs.
//
// It takes no lock and changes nothing: an operator may run it while the player plays.
// It is not of one moment: each part is as it was when it was read.
package archive
