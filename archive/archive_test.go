package archive_test

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-games/holdfast/archive"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/internal/pgtest"
	"github.com/holdfast-games/holdfast/mem"
	"github.com/holdfast-games/holdfast/postgres"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/receipt"
	"github.com/holdfast-games/holdfast/session"
	"github.com/holdfast-games/holdfast/sqlite"
	"github.com/holdfast-games/holdfast/store"
)

// world is a database with one game server.
type world struct {
	*testing.T
	drv  driver.DB
	db   *store.DB
	srv  *profile.Server
	book *receipt.Book
}

func newWorld(t *testing.T, drv driver.DB) *world {
	t.Helper()
	w := &world{T: t, drv: drv}
	var err error
	if w.db, err = store.New(drv, nil); err != nil {
		t.Fatal(err)
	}
	o := &profile.Options{Session: session.Options{Name: "game", Lease: session.MinLease}}
	if w.srv, err = profile.Open(t.Context(), w.db, Player, o); err != nil {
		t.Fatal(err)
	}
	product := receipt.Product{Name: "gems", Grant: func(tx *profile.Tx, _ *receipt.Award) error { return Coins.Add(tx, 10) }}
	if w.book, err = receipt.New(w.srv, []receipt.Product{product}, nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		_, _ = w.srv.Close(ctx)
		_ = w.db.Close(ctx)
	})
	return w
}

func (w *world) put(key, value string) {
	w.Helper()
	id, err := driver.NewVersion(time.Now(), rand.Reader)
	if err != nil {
		w.Fatal(err)
	}
	b := driver.Batch{ID: id, Writes: []driver.Write{{Key: key, Mode: driver.Always, Value: []byte(value), Retain: &driver.Retention{}}}}
	if _, err := w.drv.Commit(w.Context(), driver.Group{Batches: []driver.Batch{b}}); err != nil {
		w.Fatal(err)
	}
}

// files writes the archive of a player and returns what is in it.
func (w *world) files(id string) (map[string]string, archive.Summary) {
	w.Helper()
	var b bytes.Buffer
	sum, err := archive.Write(w.Context(), w.db, Player.Key(id), &b)
	if err != nil {
		w.Fatalf("Write: %v", err)
	}
	r, err := zip.NewReader(bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil {
		w.Fatal(err)
	}
	all := make(map[string]string)
	for _, f := range r.File {
		if !filepath.IsLocal(f.Name) || strings.ContainsAny(f.Name, `\:`) {
			w.Errorf("a file is named %q", f.Name)
		}
		in, err := f.Open()
		if err != nil {
			w.Fatal(err)
		}
		text, err := io.ReadAll(in)
		if err != nil {
			w.Fatal(err)
		}
		all[f.Name] = string(text)
		if strings.HasSuffix(f.Name, ".json") && !json.Valid(text) {
			w.Errorf("%s is no JSON: %.300q", f.Name, text)
		}
	}
	return all, sum
}

func (w *world) has(files map[string]string, name string, words ...string) {
	w.Helper()
	text, ok := files[name]
	if !ok {
		w.Errorf("there is no %s", name)
	}
	for _, word := range words {
		if !strings.Contains(text, word) {
			w.Errorf("%s has no %q:\n%.2000s", name, word, text)
		}
	}
}

// TestWrite shows what is in an archive, of a player who is playing.
func TestWrite(t *testing.T) {
	for name, open := range map[string]func(t *testing.T) (driver.DB, error){
		"Mem": func(*testing.T) (driver.DB, error) { return mem.Open(), nil },
		"SQLite": func(t *testing.T) (driver.DB, error) {
			return sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "p.db"), nil)
		},
		"PostgreSQL": func(t *testing.T) (driver.DB, error) { return postgres.Open(t.Context(), pgtest.URL(t), nil) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			drv, err := open(t)
			if err != nil {
				t.Fatal(err)
			}
			everything(newWorld(t, drv))
		})
	}
}

func everything(w *world) {
	ctx := w.Context()
	p, err := w.srv.Open(ctx, "42", nil)
	if err != nil {
		w.Fatal(err)
	}
	p.Session().Mark("a gift of support")
	if err := p.Update(func(tx *profile.Tx) error { return Coins.Set(tx, 700) }); err != nil {
		w.Fatal(err)
	}
	if err := p.Save(ctx); err != nil {
		w.Fatal(err)
	}
	if _, err := w.book.Grant(ctx, receipt.Purchase{ID: "shop:1", Product: "gems", Player: "42", Payer: "pays"}); err != nil {
		w.Fatal(err)
	}
	if err := p.Save(ctx); err != nil { // the purchase's record goes with it
		w.Fatal(err)
	}
	if _, err := w.srv.Send(ctx, "42", profile.Message{ID: "m1", Topic: "news", Body: json.RawMessage(`{"text":"hello"}`)}, nil); err != nil {
		w.Fatal(err)
	}
	guilds, err := w.db.Store("guilds")
	if err != nil {
		w.Fatal(err)
	}
	if _, err := guilds.Set(ctx, "g1", []byte(`{"name":"The Bold"}`), &store.WriteOptions{Users: []string{"42", "43"}}); err != nil {
		w.Fatal(err)
	}
	w.put("player/42/slot/..", `{"level":2,"title":"Novice"}`)
	w.put("player/42/slot/..", `{"level":3}`)
	w.put("player/42/odd", "\x00\xff")
	w.put("~audit/1", `{"who":"support"}`)
	w.put(session.IndexKey(p.Key(), "~audit/1"), `{"format":1}`)
	w.put("player/421/slot/x", `{"another":"player"}`)
	if err := p.Update(func(tx *profile.Tx) error { return Coins.Set(tx, 123456) }, profile.Durable(ctx)); err != nil {
		w.Fatal(err)
	}
	files, sum := w.files("42")
	w.has(files, "README.txt", "player/42", "purchases.json")
	w.has(files, "about.json", `"playing_on": "game"`, `"birth"`)
	w.has(files, "document.json", "123456") // which is in the journal only
	w.has(files, "versions.json", "a gift of support")
	w.has(files, "purchases.json", "shop:1", "granted", "pays")
	w.has(files, "mail.json", "m1", "hello")
	w.has(files, "stores.json", "guilds", `"43"`)
	w.has(files, "stores/0001.json", "The Bold")
	w.has(files, "entries.json", "player/42/slot/..", "~audit/1", "~receipt/shop:1", "player/42/odd")
	var all strings.Builder
	for _, text := range files {
		all.WriteString(text)
	}
	w.has(files, "entries.json", `"versions"`, "-version-0001.json")
	for _, word := range []string{`"level": 3`, "support", "\x00\xff", "Novice"} {
		if !strings.Contains(all.String(), word) {
			w.Errorf("nothing has %q", word)
		}
	}
	if strings.Contains(all.String(), "another") {
		w.Error("it has something of another player")
	}
	if !sum.Document || sum.Versions < 2 || sum.Purchases != 1 || sum.Messages != 1 || sum.Tagged != 1 || len(sum.Notes) != 0 {
		w.Errorf("the summary is %+v", sum)
	}
}

func TestWriteOfWhoIsNotThere(t *testing.T) {
	w := newWorld(t, mem.Open())
	var b bytes.Buffer
	if _, err := archive.Write(t.Context(), w.db, Player.Key("nobody"), &b); !errors.Is(err, session.ErrNotFound) || b.Len() > 0 {
		t.Errorf("Write of nobody = %v and %d bytes, want ErrNotFound and none", err, b.Len())
	}
	if _, err := archive.Write(t.Context(), w.db, session.Key{}, &b); !errors.Is(err, driver.ErrInvalid) {
		t.Errorf("Write of no key = %v, want ErrInvalid", err)
	}
	w.put("player/late/mail/1", "{}")
	files, sum := w.files("late")
	w.has(files, "entries.json", "player/late/mail/1")
	if sum.Document || len(sum.Notes) == 0 {
		t.Errorf("the summary of who was only sent something is %+v", sum)
	}
}

func TestWriteOfWhatCannotBeDecoded(t *testing.T) {
	w := newWorld(t, mem.Open())
	w.put("player/42", `{"format":1,"birth":"","data":{"coins":`)
	w.put("player/42/mail/1", "no message")
	w.put("player/42/~receipt/shop:1", `{"format":1}`)
	w.put("~receipt/shop:1", "no record")
	files, sum := w.files("42")
	if sum.Document || len(sum.Notes) < 2 {
		t.Errorf("the summary is %+v, want notes", sum)
	}
	w.has(files, "undecoded/root.bin", `"coins":`)
	w.has(files, "about.json", "could not be decoded")
	w.has(files, "purchases.json", "shop:1", "note")
	w.has(files, "mail.json", "note")
	all := ""
	for _, text := range files {
		all += text
	}
	if !strings.Contains(all, "no record") || !strings.Contains(all, "no message") {
		t.Error("what cannot be decoded is not all there")
	}
}
