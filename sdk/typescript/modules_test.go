package typescript_test

import (
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"path"
	"regexp"
	"testing"

	typescript "github.com/holdfast-games/holdfast/sdk/typescript"
)

func ExampleModules() {
	pages := http.StripPrefix("/holdfast/", http.FileServerFS(typescript.Modules()))
	w := httptest.NewRecorder()
	pages.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/holdfast/holdfast-replica.js", nil))
	fmt.Println(w.Code, w.Header().Get("Content-Type"))
	// Output: 200 text/javascript; charset=utf-8
}

var imported = regexp.MustCompile(`\bfrom\s+"([^"]*)"`)

func TestEachModuleFindsWhatItImports(t *testing.T) {
	all, err := fs.Glob(typescript.Modules(), "*.js")
	if err != nil || len(all) == 0 {
		t.Fatalf("Glob = %q, %v, want the modules", all, err)
	}
	for _, name := range all {
		text, err := fs.ReadFile(typescript.Modules(), name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range imported.FindAllSubmatch(text, -1) {
			if _, err := fs.Stat(typescript.Modules(), path.Clean(string(m[1]))); err != nil {
				t.Errorf("%s imports %s: %v", name, m[1], err)
			}
		}
	}
}
