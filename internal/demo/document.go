package demo

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/session"
)

// errDocument means that a document cannot be imported. It comes with the
// file's name and the reason.
var errDocument = errors.New("document cannot be used")

// named is a document of a player.
type named struct {
	id  string
	doc *document.Document
}

// readDocuments reads the *.json files of a folder, in the order of their
// names. The name of a file without .json is the player's id.
func readDocuments(dir string) ([]named, error) {
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("read documents: %w", err)
	}
	files = slices.DeleteFunc(files, func(f fs.DirEntry) bool { return f.IsDir() || filepath.Ext(f.Name()) != ".json" })
	switch {
	case len(files) == 0:
		return nil, fmt.Errorf("read documents: there is no .json file in %s", dir)
	case len(files) > MaxPlayers:
		return nil, fmt.Errorf("read documents: %d files in %s, at most %d", len(files), dir, MaxPlayers)
	}
	list := make([]named, len(files))
	for i, f := range files {
		path := filepath.Join(dir, f.Name())
		if list[i], err = readDocument(path); err != nil {
			return nil, fmt.Errorf("%w: %s: %w", errDocument, path, err)
		}
	}
	return list, nil
}

func readDocument(path string) (named, error) {
	n := named{id: strings.TrimSuffix(filepath.Base(path), ".json")}
	if err := (session.Key{Kind: Kind, ID: n.id}).Check(); err != nil {
		return n, err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return n, err
	}
	if n.doc, err = document.Parse(text, nil); err != nil {
		return n, err
	}
	for field := range n.doc.Fields() {
		if isOwn(field) {
			return n, fmt.Errorf("it has a field %q, and fields that begin with %q belong to the demo", field, prefix)
		}
	}
	return n, nil
}
