// Package document holds the encoded fields of one profile.
//
// # Model
//
// A [Document] is an ordered set of named fields, like the members of one JSON
// object. The value of a field is JSON text. If that text is an object, its
// members are the field's elements, and each can be read, set and deleted
// without touching the others. A [Path] names a field, or one element of a
// field; nothing deeper has a path. A [Change] is a path with its new value, or
// none, and a [Delta] is a list of changes: what is journalled, replicated and
// saved.
//
//	d, err := document.Parse(text, nil)
//	value, err := document.Compact([]byte(`{"n": 1}`), nil)
//	prev, err := d.Set(document.Element("bag", "sword"), value)
//	saved := d.AppendJSON(nil)
//
// The package knows no schema, no types and no other part of Holdfast. Those
// who replay a journal, edit by hand, serve requests or follow a profile from
// afar all stand on it alone.
//
// # Exactness
//
// Numbers keep the digits that they were written with: an integer beyond 2^53,
// 1.0 and 1e400 come back as they went in. Strings keep their meaning and are
// written in their shortest form. Members keep the order in which they were
// found, and new ones are appended. Whitespace between tokens is dropped.
// Invalid JSON, invalid UTF-8, lone surrogates and a name that occurs twice in
// one object are refused with the place and the reason, never repaired.
//
// A field's name must pass [Path.Check]; a document with any other is refused.
// An object inside a field may have names that no path can hold. Such an
// element is kept, listed and encoded, and only a change of the whole field
// changes it.
//
// # Who owns the bytes
//
// Bytes inside a document are never changed in place. Parse and Set copy what
// they are given. What Get, Set, Delete, the iterators and Diff return is
// shared with the document: it stays valid and unchanged for ever, and must not
// be written to. It may hold on to the memory of the text that it is part of.
// Values that DecodeDelta returns are parts of its argument.
//
// A loaded document is one buffer and 16 bytes for each field. What is compact
// already, as everything stored is, is checked in one pass over its bytes, and
// anything else is left to the JSON library. A field is split into its elements at
// the first access to one of them, for 16 bytes each; at once if they are many and so
// large that this adds little. A table for lookups is made only for an object of many
// members, of which several were sought.
//
// # Limits
//
// [Limits] bound the encoded size, the nesting, and the number of fields and
// elements. A document keeps the limits that it was parsed with, and no change
// takes it beyond them, so that what was saved can be loaded again.
//
// # Concurrency
//
// A document is not safe for concurrent use. That includes its reading methods,
// which split fields and keep encodings. Functions of the package and methods
// of Path and Delta may be called from any goroutine.
package document
