package profile_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/session"
)

// olderStore is what a game had before.
type olderStore struct {
	mu    sync.Mutex
	asked map[string]int
	give  func(ctx context.Context, id string) (*profile.Imported, error)
}

func (o *olderStore) ask(ctx context.Context, key session.Key) (*profile.Imported, error) {
	o.mu.Lock()
	if o.asked == nil {
		o.asked = make(map[string]int)
	}
	o.asked[key.ID]++
	o.mu.Unlock()
	return o.give(ctx, key.ID)
}

func (o *olderStore) times(id string) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.asked[id]
}

func fields(text string) map[string]json.RawMessage {
	var m map[string]json.RawMessage
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		panic(err)
	}
	return m
}

func giving(text, migrated string) *olderStore {
	return &olderStore{give: func(context.Context, string) (*profile.Imported, error) {
		return &profile.Imported{Fields: fields(text), Migrated: migrated}, nil
	}}
}

func TestImport(t *testing.T) {
	t.Run("IsOnDiskWhenOpenReturnsAndAskedForOnce", func(t *testing.T) {
		bubble(t, func(w *world) {
			old := giving(`{"gold": 100, "extra": [1, 2]}`, "a bank")
			srv := w.serverOn("a", open{w.db}, schema3, &profile.Options{Import: old.ask, OnOpen: func(p *profile.Profile) {
				if p.Fresh() && gold.Get(p) != 100 {
					t.Errorf("OnOpen sees gold %d, want 100", gold.Get(p))
				}
			}})
			p := w.load(srv, "p")
			if got := w.raw("p"); !strings.Contains(got, `"gold":100`) || !strings.Contains(got, `"extra":[1,2]`) || !strings.Contains(got, `"found":true`) {
				t.Errorf("on disk is %s, want what was imported and the note of it", got)
			}
			w.update(p, func(tx *profile.Tx) { gold.Set(tx, 1) })
			w.close(p)
			if p := w.load(srv, "p"); gold.Get(p) != 1 || bank.IsSet(p) || old.times("p") != 1 {
				t.Errorf("then gold is %d, bank set %v, and the older store was asked %d times; want 1, false, once", gold.Get(p), bank.IsSet(p), old.times("p"))
			}
		})
	})
	t.Run("PassesTheMigrationsThatItLacks", func(t *testing.T) {
		for migrated, want := range map[string]string{"": `"bank":50`, "coins are gold": `"gold":0`, "a bank": `"coins":100`} {
			bubble(t, func(w *world) {
				p := w.load(w.serverOn("a", open{w.db}, schema3, &profile.Options{Import: giving(`{"coins":100}`, migrated).ask}), "p")
				got := timeless(dump(p))
				if !strings.Contains(got, want) || !strings.Contains(got, `"coins are gold":{"at:"}`) || !strings.Contains(got, `"a bank"`) {
					t.Errorf("imported at %q it is %s, want %s and the notes of both migrations", migrated, got, want)
				}
			})
		}
	})
	t.Run("OfNobodyMeansDefaultsAndIsNoted", func(t *testing.T) {
		bubble(t, func(w *world) {
			old := &olderStore{give: func(context.Context, string) (*profile.Imported, error) { return nil, nil }}
			srv := w.serverOn("a", open{w.db}, player, &profile.Options{Import: old.ask})
			p := w.load(srv, "p")
			if coins.Get(p) != 500 || !strings.Contains(w.raw("p"), `"found":false`) {
				t.Errorf("coins are %d and %s is on disk, want 500 and the note", coins.Get(p), w.raw("p"))
			}
			w.close(p)
			w.load(srv, "p")
			if n := old.times("p"); n != 1 {
				t.Errorf("the older store was asked %d times, want once", n)
			}
		})
	})
	t.Run("IsNotForWhoHasPlayed", func(t *testing.T) {
		bubble(t, func(w *world) {
			w.store(player, "p", func(tx *profile.Tx) { coins.Set(tx, 7) })
			old := giving(`{"coins":100}`, "")
			p := w.load(w.serverOn("a", open{w.db}, player, &profile.Options{Import: old.ask}), "p")
			if coins.Get(p) != 7 || old.times("p") != 0 {
				t.Errorf("coins are %d and the older store was asked %d times, want 7 and never", coins.Get(p), old.times("p"))
			}
		})
	})
	t.Run("IsForWhoWasOpenedAndNeverChanged", func(t *testing.T) {
		bubble(t, func(w *world) {
			w.store(schema3, "p", nil)
			p := w.load(w.serverOn("a", open{w.db}, schema3, &profile.Options{Import: giving(`{"coins":100}`, "").ask}), "p")
			if gold.Get(p) != 50 {
				t.Errorf("gold is %d, want 50", gold.Get(p))
			}
		})
	})
}

func TestImportThatFails(t *testing.T) {
	down := errors.New("the older store is down")
	t.Run("FailsTheLoadAndIsTriedAgain", func(t *testing.T) {
		bubble(t, func(w *world) {
			broken := true
			old := &olderStore{give: func(context.Context, string) (*profile.Imported, error) {
				if broken {
					return nil, down
				}
				return &profile.Imported{Fields: fields(`{"coins":100}`)}, nil
			}}
			srv := w.serverOn("a", open{w.db}, player, &profile.Options{Import: old.ask})
			p, err := srv.Open(w.ctx, "p", nil)
			if p != nil || !errors.Is(err, down) || !errors.Is(err, profile.ErrImport) {
				t.Errorf("Open = %v, %v; want no profile, not even an errored one, and the error of the older store", p, err)
			}
			if got := w.raw("p"); got != "{}" {
				t.Errorf("stored is %s, want nothing", got)
			}
			broken = false
			if p := w.load(srv, "p"); coins.Get(p) != 100 {
				t.Errorf("coins are %d, want 100", coins.Get(p))
			}
		})
	})
	t.Run("ByAPanic", func(t *testing.T) {
		bubble(t, func(w *world) {
			old := &olderStore{give: func(context.Context, string) (*profile.Imported, error) { panic("ouch") }}
			_, err := w.serverOn("a", open{w.db}, player, &profile.Options{Import: old.ask}).Open(w.ctx, "p", nil)
			if !errors.Is(err, profile.ErrImport) || !strings.Contains(err.Error(), "ouch") {
				t.Errorf("Open = %v, want ErrImport with the panic", err)
			}
		})
	})
	for name, c := range map[string]struct {
		text, migrated string
		want           error
	}{
		"WrongType":        {`{"coins":"many"}`, "", profile.ErrWrongType},
		"ReservedName":     {`{"~schema":{}}`, "", document.ErrInvalid},
		"NoName":           {`{"":1}`, "", document.ErrInvalid},
		"TooLarge":         {fmt.Sprintf(`{"x":%q}`, strings.Repeat("x", 5<<20)), "", document.ErrTooLarge},
		"UnknownMigration": {`{"coins":1}`, "nobody knows", driver.ErrInvalid},
	} {
		t.Run("ByItsData"+name, func(t *testing.T) {
			bubble(t, func(w *world) {
				srv := w.serverOn("a", open{w.db}, player, &profile.Options{Import: giving(c.text, c.migrated).ask})
				p := w.loadAny(srv, "p")
				if !errors.Is(p.Err(), c.want) || !errors.Is(p.Err(), profile.ErrImport) {
					t.Errorf("the profile's error is %v, want ErrImport and %v", p.Err(), c.want)
				}
				w.close(p)
				if got := w.raw("p"); got != "{}" {
					t.Errorf("stored is %s, want nothing", got)
				}
			})
		})
	}
	t.Run("WhenNobodyWaitsAnyMore", func(t *testing.T) {
		bubble(t, func(w *world) {
			ended := make(chan error, 1)
			slow := true
			old := &olderStore{give: func(ctx context.Context, id string) (*profile.Imported, error) {
				if slow {
					<-ctx.Done()
					ended <- context.Cause(ctx)
				}
				return &profile.Imported{Fields: fields(`{"coins":100}`)}, nil // half of it, perhaps
			}}
			srv := w.serverOn("a", open{w.db}, player, &profile.Options{Import: old.ask})
			ctx, cancel := context.WithTimeout(w.ctx, time.Second)
			defer cancel()
			if _, err := srv.Open(ctx, "p", nil); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Open = %v, want the end of its context", err)
			}
			<-ended
			slow = false
			if p := w.load(srv, "p"); coins.Get(p) != 100 || old.times("p") != 2 {
				t.Errorf("coins are %d after %d questions, want 100 after 2", coins.Get(p), old.times("p"))
			}
		})
	})
	t.Run("WhenThePlayerLeaves", func(t *testing.T) {
		bubble(t, func(w *world) {
			asked := make(chan struct{})
			old := &olderStore{give: func(ctx context.Context, id string) (*profile.Imported, error) {
				close(asked)
				<-ctx.Done()
				return nil, ctx.Err()
			}}
			srv := w.serverOn("a", open{w.db}, player, &profile.Options{Import: old.ask})
			opened := make(chan error)
			go func() {
				_, err := srv.Open(w.ctx, "p", nil)
				opened <- err
			}()
			<-asked
			if err := srv.Leave(w.ctx, "p"); err != nil {
				t.Errorf("Leave = %v", err)
			}
			if err := <-opened; !errors.Is(err, profile.ErrLeft) {
				t.Errorf("Open = %v, want ErrLeft", err)
			}
			synctest.Wait() // his session is released on its own
			if v, err := srv.Session().Peek(w.ctx, srv.Schema().Key("p")); err != nil || v.Holder != nil {
				t.Errorf("after that the player is held by %v, %v; want nobody", v.Holder, err)
			}
		})
	})
}

func TestImportOnTwoServers(t *testing.T) {
	bubble(t, func(w *world) {
		old := giving(`{"coins":100}`, "")
		o := &profile.Options{Import: old.ask}
		a, b := w.serverOn("a", open{w.db}, player, o), w.serverOn("b", open{w.db}, player, o)
		var all sync.WaitGroup
		for _, srv := range []*profile.Server{a, b, a, b} {
			all.Go(func() {
				p, err := srv.Open(w.ctx, "p", nil)
				if err == nil {
					err = p.Update(func(tx *profile.Tx) error { return coins.Add(tx, 1) })
				}
				if err != nil && !errors.Is(err, session.ErrClosed) {
					t.Errorf("Open and Update on %s: %v", srv.Session().Name(), err)
				}
			})
		}
		all.Wait()
		if n := old.times("p"); n != 1 {
			t.Errorf("the older store was asked %d times by two servers, want once", n)
		}
	})
}
