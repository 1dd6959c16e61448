package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/holdfast-games/holdfast/session"
)

// told is a line of holdfast feed.
type told struct {
	Key, Server, Session, Birth, Position string
	Revision                              uint64
	At                                    time.Time
	Reasons                               []string
	Whole                                 bool
	Changes                               []struct {
		Path    string
		Value   rawText
		Deleted bool
	}
}

// position cuts out of what holdfast feed wrote where to go on.
func (r result) position() string {
	r.Helper()
	_, at, found := strings.Cut(r.err, "Go on with --from ")
	if !found {
		r.Fatalf("holdfast %q wrote %q, want where to go on", r.args, r.err)
	}
	return strings.TrimSpace(at)
}

// fed returns a world with a server that keeps a feed and has changed two players.
func fed(t *testing.T) (*world, *gameServer, *session.Session) {
	t.Helper()
	w := newWorld(t)
	g := w.game(kept{w.mem}, session.Options{Name: "game-1", Feed: time.Hour})
	t.Cleanup(func() { g.close(context.Background()) })
	s := g.open(t, "player/1")
	synced(t, s, "coins", "5")
	synced(t, g.open(t, "player/2"), "coins", "1e400")
	return w, g, s
}

func synced(t *testing.T, s *session.Session, field, value string) {
	t.Helper()
	set(t, s, field, value)
	if err := s.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestFeed(t *testing.T) {
	t.Run("TellsEachChange", func(t *testing.T) {
		w, g, s := fed(t)
		r := w.run("feed").is(exitOK)
		got := lines[told](t, r.out)
		if len(got) != 2 {
			t.Fatalf("feed = %s, want two lines", r.out)
		}
		c := got[0]
		if c.Key != "player/1" || c.Server != "game-1" || c.Session != s.ID() || c.Birth != s.Birth().String() || c.Revision != 1 || c.At.IsZero() {
			t.Errorf("first line = %+v", c)
		}
		if v := got[1].Changes; len(v) != 1 || v[0].Path != "coins" || v[0].Value != "1e400" {
			t.Errorf("changes = %+v, want coins with the digits as they were written", v)
		}
		if last := got[1].Position; last != r.position() {
			t.Errorf("the last line's position is %q, want %q", last, r.position())
		}
		synced(t, s, "coins", "6")
		g.close(t.Context())
		got = lines[told](t, w.ok("feed", "--from", r.position()))
		if len(got) != 1 || got[0].Revision != 2 {
			t.Errorf("feed from where it ended = %+v, want what came since", got)
		}
	})
	t.Run("OfOnePlayer", func(t *testing.T) {
		w, _, _ := fed(t)
		got := lines[told](t, w.ok("feed", "--player", "player/2"))
		if len(got) != 1 || got[0].Key != "player/2" {
			t.Errorf("feed --player player/2 = %+v", got)
		}
	})
	t.Run("TellsWhatOperatorsDo", func(t *testing.T) {
		w, g, _ := fed(t)
		g.close(t.Context())
		at := w.run("feed").position()
		w.ok("set", "player/1", "gems", "7", "--reason", "a refund")
		w.ok("set", "player/1", "--delete", "coins")
		got := lines[told](t, w.ok("feed", "--from", at))
		if len(got) != 2 || !strings.HasPrefix(got[0].Server, "holdfast set") || !got[1].Changes[0].Deleted {
			t.Fatalf("feed after holdfast set = %+v, want what it did", got)
		}
	})
	t.Run("FromTheEndIsEmpty", func(t *testing.T) {
		w, _, _ := fed(t)
		if r := w.run("feed", "--from", "end").is(exitOK); r.out != "" || r.position() == "" {
			t.Errorf("feed --from end wrote %q and %q", r.out, r.err)
		}
	})
	t.Run("NamesWhatIsDamagedAndGoesOn", func(t *testing.T) {
		w, g, s := fed(t)
		synced(t, s, "coins", "6")
		key := "~feed/" + g.LeaseID() + "/0000000000000002"
		if err := w.mem.Damage(key); err != nil {
			t.Fatal(err)
		}
		r := w.run("feed").is(exitError, key, "damaged")
		if got := lines[told](t, r.out); len(got) != 2 {
			t.Errorf("feed = %s, want the two that are not damaged", r.out)
		}
	})
	t.Run("RefusesWhatIsNoPosition", func(t *testing.T) {
		w, _, _ := fed(t)
		w.run("feed", "--from", "yesterday").is(exitUsage, "not a position")
	})
	t.Run("SaysWhatToDoWithAPositionOfAnotherDatabase", func(t *testing.T) {
		w, _, _ := fed(t)
		at := w.run("feed").position()
		other, _, _ := fed(t)
		other.run("feed", "--from", at).is(exitError, "kept no longer", "without --from")
	})
	t.Run("FollowsUntilInterrupted", func(t *testing.T) {
		w, _, s := fed(t)
		ctx, cancel := context.WithCancel(t.Context())
		r, out := io.Pipe()
		code := make(chan int, 1)
		var errs bytes.Buffer
		go func() {
			e := &env{in: strings.NewReader(""), out: out, err: &errs, engines: w.engines}
			code <- e.run(ctx, []string{"--db", w.url, "feed", "--follow", "--player", "player/1"})
			out.Close()
		}()
		lines := json.NewDecoder(r)
		for i := range 4 {
			var c told
			if err := lines.Decode(&c); err != nil || c.Revision != uint64(i+1) {
				t.Fatalf("line %d = %+v, error %v, want revision %d", i, c, err, i+1)
			}
			synced(t, s, "coins", string('1'+rune(i)))
		}
		cancel()
		if _, err := io.Copy(io.Discard, r); err != nil {
			t.Fatal(err)
		}
		if got := <-code; got != exitOK || !strings.Contains(errs.String(), "Go on with --from ") {
			t.Errorf("feed --follow = exit code %d and %q after an interrupt, want %d and where to go on", got, errs.String(), exitOK)
		}
	})
}

func TestFeedChangesNothing(t *testing.T) {
	w, path := newFile(t)
	w.add("player/1", `{"coins":1}`)
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	w.ok("feed")
	after, err := os.ReadFile(path)
	if err != nil || !cmp.Equal(before, after) {
		t.Errorf("holdfast feed changed the file (%v)", err)
	}
	dir := t.TempDir()
	w.url = fileURL(filepath.Join(dir, "players.db"))
	w.run("feed").is(exitNotFound, "no such database", "Nothing was created")
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("holdfast feed left %v (%v), want an empty folder", entries, err)
	}
}
