package profile

import (
	"strings"

	"github.com/holdfast-games/holdfast/document"
)

// Fields whose names begin with "~" are Holdfast's own: no schema may declare
// one, no migration and no importer sees or writes one, and none is shown to a
// client. A name that this program does not know is kept like any other field.
const reservedPrefix = "~"

var (
	schemaPath = document.Field("~schema") // the migrations that were applied: see applied.go
	// Those that were applied to the loaded save slot alone. It is the slot's, and
	// goes with it.
	slotSchemaPath = document.Field("~slotschema")
	importPath     = document.Field("~import") // that the older store was asked: see import.go
)

// reserved reports whether a field's name is Holdfast's own.
func reserved(name string) bool { return strings.HasPrefix(name, reservedPrefix) }
