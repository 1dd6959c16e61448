package profile_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/session"
	"github.com/prometheus/client_golang/prometheus"
)

func TestOpen(t *testing.T) {
	t.Run("SharesOneLoad", func(t *testing.T) {
		bubble(t, func(w *world) {
			opened := 0
			srv := w.server("a", &profile.Options{OnOpen: func(*profile.Profile) { opened++ }})
			ps := make(chan *profile.Profile)
			for range 10 {
				go func() { ps <- w.load(srv, "1") }()
			}
			first := <-ps
			for range 9 {
				if p := <-ps; p != first {
					t.Error("two loads of one player gave two profiles")
				}
			}
			if got, ok := srv.Profile("1"); !ok || got != first || opened != 1 || !first.Fresh() || srv.Loading("1") {
				t.Errorf("Profile() = %v, %v; OnOpen ran %d times, fresh %v", got == first, ok, opened, first.Fresh())
			}
			if p, err := srv.WaitLoaded(w.ctx, "1"); p != first || err != nil {
				t.Errorf("WaitLoaded() = %v, %v; want the profile", p, err)
			}
		})
	})
	t.Run("GoesOnWhenOneOfItsCallersLeaves", func(t *testing.T) {
		bubble(t, func(w *world) {
			db := newFaults(w.db)
			srv := w.serverOn("a", db, player, nil)
			hold := make(chan struct{})
			db.set(func() { db.hold["player/1"] = hold })
			ctx, cancel := context.WithCancel(w.ctx)
			first, second := make(chan error, 1), make(chan error, 1)
			go func() { _, err := srv.Open(ctx, "1", nil); first <- err }()
			go func() { _, err := srv.Open(w.ctx, "1", nil); second <- err }()
			synctest.Wait()
			cancel()
			if err := <-first; !errors.Is(err, context.Canceled) {
				t.Errorf("Open() with an ended context = %v, want Canceled", err)
			}
			close(hold)
			if err := <-second; err != nil {
				t.Errorf("Open() = %v", err)
			}
		})
	})
	t.Run("RefusesBadIDs", func(t *testing.T) {
		bubble(t, func(w *world) {
			srv := w.server("a", nil)
			for _, id := range []string{"", strings.Repeat("x", 201), "a\x00", "\xff"} {
				if _, err := srv.Open(w.ctx, id, nil); !errors.Is(err, driver.ErrInvalid) {
					t.Errorf("Open(%.10q) = %v, want ErrInvalid", id, err)
				}
			}
		})
	})
	t.Run("MustExist", func(t *testing.T) {
		bubble(t, func(w *world) {
			srv := w.server("a", nil)
			if _, err := srv.Open(w.ctx, "1", &profile.OpenOptions{MustExist: true}); !errors.Is(err, session.ErrNotFound) {
				t.Errorf("Open() = %v, want ErrNotFound", err)
			}
		})
	})
	t.Run("APlayerWhoStaysLockedIsErrored", func(t *testing.T) {
		bubble(t, func(w *world) {
			never := make(chan struct{})
			a := w.server("a", &profile.Options{Session: session.Options{HandOverTime: time.Hour}, HandOver: func(ctx context.Context, _ *profile.Profile) { <-never }})
			b := w.server("b", nil)
			w.load(a, "1")
			told := 0
			ctx, cancel := context.WithTimeout(w.ctx, 5*time.Second)
			defer cancel()
			p, err := b.Open(ctx, "1", &profile.OpenOptions{Waiting: func(h session.Holder) {
				told++
				if h.Server != "a" {
					t.Errorf("waiting for %v, want server a", h)
				}
			}})
			if err != nil || !errors.Is(p.Err(), session.ErrLocked) || told == 0 {
				t.Errorf("Open() = %v, %v after %d calls of Waiting; want an errored profile that is locked", p, err, told)
			}
			gone, leave := context.WithCancel(w.ctx)
			done := make(chan error, 1)
			go func() { _, err := b.Open(gone, "2", nil); done <- err }()
			w.load(a, "2")
			leave()
			if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
				t.Errorf("Open() whose caller left = %v, want an error and no errored profile", err)
			}
			close(never)
		})
	})
	t.Run("RefusePlayerReturnsTheErrorOnly", func(t *testing.T) {
		bubble(t, func(w *world) {
			w.plant("1", func(tx *profile.Tx) { _ = foreignCoins.Set(tx, "text") })
			srv := w.server("a", &profile.Options{OnLoadError: profile.RefusePlayer})
			for range 2 {
				if p, err := srv.Open(w.ctx, "1", nil); p != nil || !errors.Is(err, profile.ErrWrongType) {
					t.Errorf("Open() = %v, %v; want ErrWrongType only", p, err)
				}
			}
			synctest.Wait() // the lock of the refused load is released
			if err := w.db.Damage("player/1"); err != nil {
				t.Fatal(err)
			}
			if p, err := srv.Open(w.ctx, "1", nil); p != nil || !errors.Is(err, driver.ErrCorrupt) {
				t.Errorf("Open() = %v, %v; want ErrCorrupt only", p, err)
			}
		})
	})
	t.Run("AnErroredProfileCanBeTriedAgain", func(t *testing.T) {
		bubble(t, func(w *world) {
			srv := w.server("a", nil)
			p := w.errored(srv)
			if q := w.loadAny(srv, "bad"); q != p {
				t.Error("a second Open of an errored player gave another profile")
			}
			ended := make(chan profile.End, 1)
			p.OnEnded(func(e profile.End) { ended <- e })
			w.close(p)
			<-p.Done()
			<-ended
			w.plant("bad", func(tx *profile.Tx) { _ = foreignCoins.Set(tx, 3) }) // mended, and not locked
			if q := w.load(srv, "bad"); coins.Get(q) != 3 {
				t.Errorf("coins = %d, want 3", coins.Get(q))
			}
			if err := p.Update(func(*profile.Tx) error { return nil }); !errors.Is(err, session.ErrClosed) {
				t.Errorf("Update() of a closed errored profile = %v, want ErrClosed", err)
			}
		})
	})
}

func TestWaitLoaded(t *testing.T) {
	bubble(t, func(w *world) {
		db := newFaults(w.db)
		srv := w.serverOn("a", db, player, nil)
		if _, err := srv.WaitLoaded(w.ctx, "1"); !errors.Is(err, profile.ErrNotOpen) {
			t.Errorf("WaitLoaded() without a load = %v, want ErrNotOpen", err)
		}
		hold := make(chan struct{})
		db.set(func() { db.hold["player/1"] = hold })
		go func() { w.load(srv, "1") }()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(w.ctx, time.Second)
		defer cancel()
		if _, err := srv.WaitLoaded(ctx, "1"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("WaitLoaded() = %v, want DeadlineExceeded", err)
		}
		waited := make(chan *profile.Profile, 1)
		go func() { p, _ := srv.WaitLoaded(w.ctx, "1"); waited <- p }()
		synctest.Wait()
		close(hold)
		if p := <-waited; p == nil || p.ID() != "1" {
			t.Errorf("WaitLoaded() = %v, want the profile", p)
		}
		if err := srv.Leave(w.ctx, "nobody"); err != nil {
			t.Errorf("Leave() of nobody = %v", err)
		}
	})
}

func TestCloseThatIsRefusedStaysOpen(t *testing.T) {
	bubble(t, func(w *world) {
		db := newFaults(w.db)
		srv := w.serverOn("a", db, player, nil)
		p := w.load(srv, "1")
		w.update(p, func(tx *profile.Tx) { _ = coins.Set(tx, 1) })
		db.set(func() { db.refuse["player/1"] = driver.ErrInvalid })
		if err := p.Close(w.ctx); !errors.Is(err, driver.ErrInvalid) {
			t.Errorf("Close() = %v, want the database's refusal", err)
		}
		db.set(func() { clear(db.refuse) })
		if q := w.load(srv, "1"); q != p {
			t.Error("a profile whose closing was refused is not open")
		}
		w.update(p, func(tx *profile.Tx) { _ = coins.Add(tx, 1) })
		w.close(p)
		if got := coins.Get(w.load(srv, "1")); got != 2 {
			t.Errorf("coins = %d, want 2", got)
		}
	})
}

func TestSuspended(t *testing.T) {
	bubble(t, func(w *world) {
		db := newFaults(w.db)
		var told []bool
		o := &profile.Options{}
		o.Session.Suspended = func(s bool) { told = append(told, s) }
		srv := w.serverOn("a", &unreachable{faults: db}, player, o)
		p := w.load(srv, "1")
		db.set(func() { db.refuse["all"] = driver.ErrUnavailable })
		time.Sleep(time.Minute)
		if err := p.Update(func(tx *profile.Tx) error { return coins.Set(tx, 1) }); !errors.Is(err, session.ErrSuspended) || coins.Get(p) != 500 {
			t.Errorf("Update() = %v, %d coins; want ErrSuspended and 500", err, coins.Get(p))
		}
		if !srv.Suspended() || p.CanSave() {
			t.Errorf("Suspended() = %v, CanSave() = %v; want true, false", srv.Suspended(), p.CanSave())
		}
		db.set(func() { clear(db.refuse) })
		time.Sleep(time.Minute)
		w.update(p, func(tx *profile.Tx) { _ = coins.Set(tx, 1) })
		if len(told) != 2 || !told[0] || told[1] || !p.CanSave() {
			t.Errorf("told of suspensions %v, CanSave() = %v; want true, false and true", told, p.CanSave())
		}
	})
}

// unreachable is a database that does not answer while "all" is refused.
type unreachable struct{ *faults }

func (u *unreachable) down() (err error) {
	u.set(func() { err = u.refuse["all"] })
	return err
}

func (u *unreachable) Commit(ctx context.Context, g driver.Group) ([]driver.Outcome, error) {
	if err := u.down(); err != nil {
		return nil, err
	}
	return u.faults.Commit(ctx, g)
}

func (u *unreachable) Read(ctx context.Context, keys ...string) (driver.Snapshot, error) {
	if err := u.down(); err != nil {
		return driver.Snapshot{}, err
	}
	return u.faults.Read(ctx, keys...)
}

func TestMetaAndPrivate(t *testing.T) {
	bubble(t, func(w *world) {
		srv := w.server("a", nil)
		p, q := w.load(srv, "1"), w.load(srv, "2")
		type room struct{}
		if got := p.Meta(room{}); got != nil {
			t.Errorf("Meta() = %v, want nil", got)
		}
		p.SetMeta(room{}, "lobby")
		if a, b := p.Meta(room{}), q.Meta(room{}); a != "lobby" || b != nil {
			t.Errorf("Meta() = %v and %v, want lobby and nil", a, b)
		}
		p.SetMeta(room{}, nil)
		if got := p.Meta(room{}); got != nil {
			t.Errorf("Meta() after its removal = %v, want nil", got)
		}
		p.SetPrivate(coins, true)
		p.SetPrivate(secret, false)
		got := fmt.Sprint(p.Private(coins), p.Private(secret), p.Private(nick), q.Private(coins), q.Private(secret))
		if want := "true false false false true"; got != want {
			t.Errorf("Private() = %s, want %s", got, want)
		}
	})
}

func TestOptionsAreChecked(t *testing.T) {
	for name, o := range map[string]*profile.Options{
		"HandOver":  {Session: session.Options{HandOver: func(context.Context, *session.Session) {}}},
		"Autosave":  {Autosave: time.Millisecond},
		"Force":     {ForceEvery: -1},
		"Policy":    {OnLoadError: 9},
		"OfSession": {Session: session.Options{Lease: time.Millisecond}},
	} {
		if _, err := profile.Open(t.Context(), nil, player, o); !errors.Is(err, driver.ErrInvalid) {
			t.Errorf("%s: Open() = %v, want ErrInvalid", name, err)
		}
	}
}

func TestWaitingForALockIsLogged(t *testing.T) {
	var log logLines
	w := &world{T: t, ctx: t.Context(), db: newMem(t)}
	o := &profile.Options{}
	o.Session.Logger = slog.New(slog.NewTextHandler(&log, nil))
	srv := w.server("a", o)
	profile.SetPatience(srv, time.Millisecond)
	p := w.load(srv, "1")
	for name, hold := range map[string]func(inside chan<- struct{}, release <-chan struct{}){
		"Update": func(inside chan<- struct{}, release <-chan struct{}) {
			_ = p.Update(func(*profile.Tx) error { holdsTheLock(inside, release); return nil })
		},
		"View": func(inside chan<- struct{}, release <-chan struct{}) {
			p.View(func(profile.Reader) { holdsTheLock(inside, release) })
		},
		"UpdateAll": func(inside chan<- struct{}, release <-chan struct{}) {
			_ = profile.UpdateAll([]*profile.Profile{p}, func([]*profile.Tx) error { holdsTheLock(inside, release); return nil })
		},
	} {
		t.Run(name, func(t *testing.T) {
			inside, release, done := make(chan struct{}), make(chan struct{}), make(chan struct{})
			lines := log.watch()
			go func() { hold(inside, release); close(done) }()
			<-inside
			waited := make(chan error)
			go func() { waited <- p.Update(func(tx *profile.Tx) error { return coins.Add(tx, 1) }) }()
			line := <-lines
			close(release)
			<-done
			if err := <-waited; err != nil {
				t.Errorf("Update() = %v", err)
			}
			for _, part := range []string{"waiting for a profile's lock", "key=player/1", "for=update", "TestWaitingForALockIsLogged", "holdsTheLock"} {
				if !strings.Contains(line, part) {
					t.Errorf("log line has no %q:\n%s", part, line)
				}
			}
		})
	}
}

// holdsTheLock is a name to look for in a stack.
func holdsTheLock(inside chan<- struct{}, release <-chan struct{}) {
	close(inside)
	<-release
}

// logLines hands each line that is written to whoever watches.
type logLines struct {
	mu    sync.Mutex
	lines chan string
}

func (l *logLines) watch() <-chan string {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = make(chan string, 100)
	return l.lines
}

func (l *logLines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case l.lines <- string(b):
	default:
	}
	return len(b), nil
}

func TestMetrics(t *testing.T) {
	bubble(t, func(w *world) {
		registry := prometheus.NewRegistry()
		o := &profile.Options{}
		o.Session.Metrics = registry
		srv := w.server("a", o)
		p := w.load(srv, "1")
		w.errored(srv)
		_ = p.Update(func(tx *profile.Tx) error { return coins.Set(tx, -1) })
		_ = p.Update(func(tx *profile.Tx) error { return errors.New("no") })
		if _, err := srv.Open(w.ctx, "2", &profile.OpenOptions{MustExist: true}); err == nil {
			t.Error("Open() of nobody = nil")
		}
		got := gather(t, registry)
		for name, want := range map[string]float64{
			"holdfast_profile_loaded":                      2,
			"holdfast_profile_load_seconds/loaded":         1,
			"holdfast_profile_load_seconds/errored":        1,
			"holdfast_profile_load_seconds/failed":         1,
			"holdfast_profile_updates_refused_total/write": 1,
			"holdfast_profile_updates_refused_total/game":  1,
		} {
			if got[name] != want {
				t.Errorf("%s = %v, want %v", name, got[name], want)
			}
		}
		if _, err := srv.Close(w.ctx); err != nil {
			t.Error(err)
		}
		for name := range gather(t, registry) {
			t.Errorf("metric %s is left after Close", name)
		}
	})
}

// gather returns the metrics of package profile, by name and label.
func gather(t *testing.T, r *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := make(map[string]float64)
	for _, f := range families {
		if !strings.HasPrefix(f.GetName(), "holdfast_profile_") {
			continue
		}
		for _, m := range f.GetMetric() {
			name := f.GetName()
			for _, l := range m.GetLabel() {
				name += "/" + l.GetValue()
			}
			values[name] = m.GetGauge().GetValue() + m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return values
}

func TestEndedProfilesAreForgotten(t *testing.T) {
	bubble(t, func(w *world) {
		srv := w.server("a", &profile.Options{Autosave: -1})
		kept := w.load(srv, "kept")
		for i := range 300 {
			w.close(w.load(srv, fmt.Sprint(i)))
		}
		if n := profile.Remembered(srv); n > 70 {
			t.Errorf("the server holds on to %d profiles, with 1 open", n)
		}
		if ps := srv.Profiles(); len(ps) != 1 || ps[0] != kept {
			t.Errorf("Profiles() = %v, want the one that is open", ps)
		}
	})
}

// TestTheEndIsToldAlsoIfSomebodyOpensAtThatMoment has somebody ask for a player whose
// session has ended, and of which the server has not been told yet.
func TestTheEndIsToldAlsoIfSomebodyOpensAtThatMoment(t *testing.T) {
	bubble(t, func(w *world) {
		a, b := w.server("a", nil), w.server("b", nil)
		profile.BeforeEnded(a, func() {
			ctx, cancel := context.WithCancel(w.ctx)
			cancel()
			_, _ = a.Open(ctx, "1", nil) // one who does not even wait
		})
		p := w.load(a, "1")
		var heard, tapped []profile.End
		p.OnEnded(func(e profile.End) { heard = append(heard, e) })
		p.Tap(&profile.Tap{
			Changed: func([]profile.Change) {}, Switched: func(profile.Field) {}, Saved: func(session.Saved) {},
			Ended: func(e profile.End) { tapped = append(tapped, e) },
		})

		w.load(b, "1")
		time.Sleep(time.Second)
		synctest.Wait()
		if end, ok := p.Ended(); !ok || end.Reason != profile.HandedOver {
			w.Errorf("Ended() = %v, %v, want that it was handed over", end, ok)
		}
		if len(heard) != 1 || len(tapped) != 1 {
			w.Errorf("the end was told %d times to a listener and %d times to a tap, want once each", len(heard), len(tapped))
		}
	})
}
