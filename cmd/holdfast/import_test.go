package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/driver"
)

// realFolder returns a folder of documents of real players, or skips the test
// where there are none.
func realFolder(t *testing.T, name string) string {
	t.Helper()
	root := os.Getenv("HOLDFAST_DOCUMENTS")
	if root == "" {
		root = filepath.Join("..", "..", "..", "shared", "data")
	}
	dir := filepath.Join(root, name)
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("no documents in %s", dir)
	}
	return dir
}

// jsonFiles returns what is in the .json files of a folder, by their names.
func jsonFiles(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil || len(names) == 0 {
		t.Fatalf("no .json files in %s: %v", dir, err)
	}
	files := make(map[string][]byte)
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		files[strings.TrimSuffix(filepath.Base(name), ".json")] = text
	}
	return files
}

// TestHistory imports six saves of one player and lists, compares and restores
// them.
func TestHistory(t *testing.T) {
	dir := t.TempDir()
	w := newWorld(t)
	for i := 1; i <= 11; i++ { // save10 comes after save9
		w.write(dir, fmt.Sprintf("save%d.json", i), fmt.Sprintf(`{"day":%d,"stats":{"d%d":1,"jumps":%d}}`, i, i%3, i*i))
	}
	t.Run("MadeUp", func(t *testing.T) { checkHistory(t, dir, 11) })
	t.Run("Real", func(t *testing.T) { checkHistory(t, realFolder(t, "history"), 6) })
}

func checkHistory(t *testing.T, dir string, n int) {
	w, _ := newFile(t)
	w.run("import", "--key", "player/steve", dir).is(exitOK, fmt.Sprint(n))
	saves := jsonFiles(t, dir)
	var versions []versionJSON
	for _, v := range lines[versionJSON](t, w.ok("versions", "player/steve", "--json")) {
		if v.Reason == "holdfast import" {
			versions = append(versions, v)
		}
	}
	if len(versions) != n {
		t.Fatalf("versions lists %d imported versions, want %d", len(versions), n)
	}
	for i, v := range versions {
		want := saves[fmt.Sprintf("save%d", i+1)]
		w.equal(fmt.Sprintf("version %d", i+1), []byte(w.ok("get", "player/steve", "--version", v.Version.String())), want)
		if !v.Kept {
			t.Errorf("version %d is not kept", i+1)
		}
		if i > 0 && w.ok("diff", "player/steve", versions[i-1].Version.String(), v.Version.String(), "--json") == "" {
			t.Errorf("diff of versions %d and %d is empty", i, i+1)
		}
	}
	for i, v := range slices.Backward(versions) {
		want := exitOK
		w.run("restore", "player/steve", v.Version.String()).is(want)
		w.equal(fmt.Sprintf("get after restore of %d", i+1), []byte(w.ok("get", "player/steve")), saves[fmt.Sprintf("save%d", i+1)])
	}
}

func TestImport(t *testing.T) {
	t.Run("RealDocumentsComeBackEqual", func(t *testing.T) {
		dir := realFolder(t, "documents")
		w, _ := newFile(t)
		w.ok("import", dir)
		out := t.TempDir()
		w.ok("export", "player", "--out", out)
		files, exported := jsonFiles(t, dir), jsonFiles(t, filepath.Join(out, "player"))
		if len(files) != len(exported) {
			t.Errorf("export made %d files of %d", len(exported), len(files))
		}
		for id, want := range files {
			w.equal("get "+id, []byte(w.ok("get", "player/"+id)), want)
			w.equal("export of "+id, exported[id], want)
		}
	})
	t.Run("RefusesBadDocumentsByNameAndGoesOn", func(t *testing.T) {
		w, dir := newWorld(t), t.TempDir()
		for name, text := range map[string]string{
			"good1": `{"n":1}`, "good2": ` {"n" : 2} `, "cut": `{"n":`, "array": `[1]`, "empty": ``, "utf8": "{\"n\":\"\xff\"}",
			"twice": `{"n":1,"n":2}`, "nul": `{"a\u0000":1}`, "nan": `{"n":NaN}`, "large": `{"n":"` + strings.Repeat("x", 2000) + `"}`,
			"endless": strings.Repeat(" ", 20000) + `{}`, "deep": `{"n":` + strings.Repeat("[", 80) + strings.Repeat("]", 80) + `}`,
			"bad%name": `{"n":1}`, "nul%00name": `{"n":1}`, "two": `{"n":1} {"n":2}`,
			"slots": `{"~slots":{"~rules":{"format":1,"fields":["n"]},"~next":3,"~loaded":"1","1":{"name":"a"},"2":{"name":"b","stamp":4}}}`,
			"index": `{"~slots":5}`,
		} {
			w.write(dir, name+".json", text)
		}
		w.write(dir, "notes.txt", "no document")
		r := w.run("import", dir, "--max-bytes", "1000").is(exitError, "IMPORTED", "some documents were not imported")
		for name, why := range map[string]string{
			"cut": "invalid", "array": "not an object", "empty": "invalid", "utf8": "UTF-8", "twice": "duplicate name", "nul": "control character",
			"nan": "invalid", "large": "too large", "endless": "too large", "deep": "too deep", "bad%name": "escape", "nul%00name": "NUL", "two": "invalid",
			"slots": "save slot 2 is not in the document", "index": "damaged",
		} {
			found := false
			for line := range strings.Lines(r.out) {
				found = found || strings.Contains(line, name+".json") && strings.Contains(line, why)
			}
			if !found {
				t.Errorf("no line names %s.json with %q in\n%s", name, why, r.out)
			}
		}
		got := lines[importJSON](t, w.run("import", dir, "--max-bytes", "1000", "--json").is(exitError).out)
		if len(got) != 1 || got[0].Imported != 0 || got[0].Unchanged != 2 || len(got[0].Refused) != 15 {
			t.Errorf("second import --json = %+v, want none imported, 2 unchanged, 15 refused", got)
		}
		if list := lines[rootJSON](t, w.ok("list", "--json")); len(list) != 2 {
			t.Errorf("after the import there are %d players, want the 2 good ones", len(list))
		}
	})
	t.Run("RefusesBadLinesByNumberAndGoesOn", func(t *testing.T) {
		w := newWorld(t)
		in := strings.Join([]string{
			`{"key":"player/1","data":{"n":1}}`, ``, `nonsense`, `{"key":"player/2"}`, `{"key":"player","data":{}}`, `{"key":"~lease/x","data":{}}`,
			`{"key":"player/1","data":{"n":2}}`, `{"key":"player/3","data":{"n":3},"more":1}`, strings.Repeat("x", 100_000),
			"{\"key\":\"player/\xff\",\"data\":{}}", `{"key":"player/4","data":{"n":4}}`,
		}, "\n")
		r := w.with(in, "import", "-", "--max-bytes", "1000").is(exitError, "standard input:3 ", "standard input:10 ", "the first is standard input:1",
			"no data", "not of the form kind/id", "more")
		got := lines[importJSON](t, w.with(in, "import", "-", "--max-bytes", "1000", "--json").is(exitError).out)
		if got[0].Unchanged != 2 || len(got[0].Refused) != 8 {
			t.Errorf("import = %+v, want 2 unchanged and 8 refused; the first said\n%s", got[0], r.out)
		}
		w.equal("get", []byte(w.ok("get", "player/1")), []byte(`{"n":1}`))
		w.equal("get", []byte(w.ok("get", "player/4")), []byte(`{"n":4}`))
	})
	t.Run("LeavesPlayersThatExistUnlessReplace", func(t *testing.T) {
		w, dir := newWorld(t), t.TempDir()
		w.add("player/1", `{"n":1}`)
		w.add("player/2", `{"n":2}`)
		w.add("player/3", `{}`)
		for i := 1; i <= 4; i++ {
			w.write(dir, fmt.Sprintf("%d.json", i), `{"n":2.0}`)
		}
		w.run("import", dir).is(exitError, "player/1", "--replace")
		w.equal("get 1", []byte(w.ok("get", "player/1")), []byte(`{"n":1}`))
		w.equal("get 3", []byte(w.ok("get", "player/3")), []byte(`{"n":2}`))
		w.run("import", "--key", "player/1", dir).is(exitError, "--replace")
		w.equal("get 1", []byte(w.ok("get", "player/1")), []byte(`{"n":1}`))
		w.ok("import", dir, "--replace", "--reason", "again")
		w.equal("get 1", []byte(w.ok("get", "player/1")), []byte(`{"n":2}`))
		w.run("versions", "player/1").is(exitOK, "again")
	})
	t.Run("OfASaveThatIsThereDoesNotLetTheNextReplace", func(t *testing.T) {
		w, dir := newWorld(t), t.TempDir()
		w.add("player/1", `{"n":1}`)
		a, b := w.write(dir, "a.json", `{"n":1}`), w.write(dir, "b.json", `{"n":2}`)
		w.run("import", "--key", "player/1", a, b).is(exitError, "b.json", "--replace")
		w.equal("get", []byte(w.ok("get", "player/1")), []byte(`{"n":1}`))
		w.run("import", "--key", "player/1", "--replace", a, b, b, a).is(exitOK)
		got := lines[importJSON](t, w.ok("import", "--key", "player/1", "--replace", "--json", a, b, b, a))
		if d := cmp.Diff([]importJSON{{Imported: 2, Unchanged: 2, Refused: []refusal{}}}, got); d != "" {
			t.Errorf("import of saves a, b, b, a over a: %s", d)
		}
	})
	t.Run("OfAMissingFileTriesNothing", func(t *testing.T) {
		w, path := newFile(t)
		for _, name := range []string{"missing.json", "missing.jsonl", t.TempDir()} {
			w.run("import", name).is(exitError, filepath.Base(name))
			if _, err := os.Stat(path); err == nil {
				t.Fatalf("import of %s created the database", name)
			}
		}
	})
	t.Run("TravelsInGroups", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			const players = 1000
			w := newWorld(t)
			counted := &counter{}
			w.wrap = func(db driver.DB) driver.DB { counted.DB = db; return counted }
			var in strings.Builder
			for i := range players {
				fmt.Fprintf(&in, `{"key":"player/%d","data":{"n":%d}}`+"\n", i, i)
			}
			w.with(in.String(), "import", "-").is(exitOK)
			// Each player is locked, appended and saved.
			if calls := counted.calls.Load(); calls > players/5 {
				t.Errorf("%d players took %d commits, want a fifth at most", players, calls)
			}
			w.wrap = nil
			if got := strings.Count(w.ok("list", "--json", "--limit", "0"), "\n"); got != players {
				t.Errorf("%d players are there, want %d", got, players)
			}
		})
	})
	t.Run("StopsAtAnInterruptAndSaysWhatItDid", func(t *testing.T) {
		w := newWorld(t)
		ctx, cancel := context.WithCancelCause(t.Context())
		in := &interrupting{r: strings.NewReader(`{"key":"player/1","data":{"n":1}}` + "\n" + `{"key":"player/2","data":{"n":2}}` + "\n"), stop: cancel}
		var out, errs strings.Builder
		e := &env{in: in, out: &out, err: &errs, engines: w.engines}
		if code := e.run(ctx, []string{"--db", w.url, "import", "-"}); code != exitError || !strings.Contains(errs.String(), "interrupted") {
			t.Errorf("interrupted import = exit code %d, errors %s", code, errs.String())
		}
		if got := w.ok("locks", "--json") + w.ok("locks", "--players", "--json"); got != "" {
			t.Errorf("the interrupted import left locks: %s", got)
		}
	})
}

// counter counts commits, which take as long as on a disk.
type counter struct {
	driver.DB
	calls atomic.Int64
}

func (c *counter) Commit(ctx context.Context, g driver.Group) ([]driver.Outcome, error) {
	c.calls.Add(1)
	time.Sleep(5 * time.Millisecond)
	return c.DB.Commit(ctx, g)
}

// interrupting interrupts the command when it has read everything.
type interrupting struct {
	r    io.Reader
	stop context.CancelCauseFunc
}

func (in *interrupting) Read(p []byte) (int, error) {
	n, err := in.r.Read(p[:min(len(p), 40)])
	in.stop(errors.New("interrupted by the test"))
	return n, err
}

func TestExport(t *testing.T) {
	ids := []string{"1", "a%2Fb", "..", ".", "%7Eroot", "日本", "50%25", "a b", "..%2F..%2Fetc", "x%0Ay"}
	w := newWorld(t)
	for i, id := range ids {
		w.add("player/"+id, fmt.Sprintf(`{"n":%d}`, i))
	}
	w.add("guild/1", `{"n":-1}`)
	all := func(w *world) string { return w.ok("export") }
	want := all(w)
	if got := strings.Count(want, "\n"); got != len(ids)+1 {
		t.Fatalf("export wrote %d lines, want %d", got, len(ids)+1)
	}
	t.Run("LinesAreImportedAgain", func(t *testing.T) {
		w, again := w.in(t), newWorld(t)
		again.with(want, "import", "-").is(exitOK)
		if got := all(again); got != want {
			t.Errorf("export after import = %s, want %s", got, want)
		}
		path := filepath.Join(t.TempDir(), "all.jsonl")
		w.ok("export", "-o", path)
		again = newWorld(t)
		again.ok("import", path)
		if got := all(again); got != want {
			t.Errorf("export after import of a file = %s, want %s", got, want)
		}
		w.run("export", "-o", path).is(exitError, "exists")
	})
	t.Run("FoldersAreImportedAgain", func(t *testing.T) {
		w, again, dir := w.in(t), newWorld(t), filepath.Join(t.TempDir(), "out")
		w.ok("export", "-o", dir)
		again.ok("import", filepath.Join(dir, "player"))
		again.ok("import", "--kind", "guild", filepath.Join(dir, "guild"))
		if got := all(again); got != want {
			t.Errorf("export after import kind by kind = %s, want %s", got, want)
		}
		again = newWorld(t)
		again.ok("import", dir)
		if got := all(again); got != want {
			t.Errorf("export after import = %s, want %s", got, want)
		}
		if entries, err := os.ReadDir(filepath.Dir(dir)); err != nil || len(entries) != 1 {
			t.Errorf("the export left %v (%v) beside its folder", entries, err)
		}
	})
	t.Run("OfAnIdTooLongForAFileNamesItAndGoesOn", func(t *testing.T) {
		w := newWorld(t)
		w.add("player/"+strings.Repeat("%25", 200), `{"n":1}`)
		w.add("player/1", `{"n":2}`)
		dir := t.TempDir()
		w.run("export", "-o", dir).is(exitError, "Exported 1, could not export 1", "%25%25")
		if _, err := os.Stat(filepath.Join(dir, "player", "1.json")); err != nil {
			t.Error(err)
		}
	})
	t.Run("OfNothingIsEmpty", func(t *testing.T) {
		if out := w.in(t).ok("export", "monster"); out != "" {
			t.Errorf("export = %q, want nothing", out)
		}
	})
}

func TestNaturalOrder(t *testing.T) {
	want := []string{"", "a", "a0", "a00", "a1", "a01", "a2", "a10", "a10b", "a18446744073709551616", "b"}
	got := slices.Clone(want)
	slices.Reverse(got)
	slices.SortFunc(got, compareNatural)
	if !slices.Equal(got, want) {
		t.Errorf("sorted = %q, want %q", got, want)
	}
}

// FuzzLines reads lines in any form: what is read is what is there, and nothing
// is longer than allowed.
func FuzzLines(f *testing.F) {
	f.Add("a\n\nb", 3)
	f.Add("\r\n  long line \nx", 2)
	f.Fuzz(func(t *testing.T, text string, most int) {
		most = max(1, min(most&0xffff, 1<<16))
		r := lineReader{r: bufio.NewReaderSize(strings.NewReader(text), 16), most: most}
		var got []string
		for {
			line, err := r.next()
			if err == io.EOF {
				break
			}
			if errors.Is(err, document.ErrTooLarge) {
				got = append(got, "")
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, string(line))
		}
		var want []string
		for line := range strings.Lines(text) {
			switch trimmed := strings.TrimSpace(line); {
			case len(line) > most:
				want = append(want, "")
			case trimmed != "":
				want = append(want, trimmed)
			}
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("lines of %q up to %d: %s", text, most, d)
		}
	})
}

// FuzzLine parses any line without a panic, and only to keys that hold.
func FuzzLine(f *testing.F) {
	f.Add([]byte(`{"key":"player/1","data":{"n":1}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		key, data, err := parseLine(text)
		if err != nil {
			return
		}
		if key.Check() != nil || data == nil {
			t.Errorf("parseLine(%q) = %v, %q, nil, want a key within its limits and data", text, key, data)
		}
	})
}
