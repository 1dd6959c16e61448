package document_test

import (
	"os"
	"path/filepath"
	"testing"
)

// file is one document of real players.
type file struct {
	name string
	text []byte
}

// realDocuments reads the documents of real players from the folder that the
// environment names, or from the one beside the module. It skips the test where
// there are none.
func realDocuments(tb testing.TB) []file {
	tb.Helper()
	root := os.Getenv("HOLDFAST_DOCUMENTS")
	if root == "" {
		root = filepath.Join("..", "..", "shared", "data")
	}
	var files []file
	for _, pattern := range []string{"*.json", "documents/*.json", "history/*.json"} {
		names, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			tb.Fatal(err)
		}
		for _, name := range names {
			text, err := os.ReadFile(name)
			if err != nil {
				tb.Fatal(err)
			}
			files = append(files, file{filepath.Base(name), text})
		}
	}
	if len(files) == 0 {
		tb.Skipf("no documents in %s", root)
	}
	return files
}
