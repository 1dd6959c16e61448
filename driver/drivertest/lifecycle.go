package drivertest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/google/go-cmp/cmp"

	"github.com/holdfast-games/holdfast/driver"
)

// calls are all calls that a database that was closed, or a context that
// ended, makes fail.
func calls(ctx context.Context, db driver.DB) map[string]func() error {
	return map[string]func() error{
		"Commit": func() error {
			_, err := db.Commit(ctx, driver.Group{Batches: []driver.Batch{batch(always("k", "late"))}})
			return err
		},
		"Read":        func() error { _, err := db.Read(ctx, "k"); return err },
		"List":        func() error { _, err := db.List(ctx, driver.Query{}); return err },
		"Count":       func() error { _, _, err := db.Count(ctx, "", "z", 1); return err },
		"Versions":    func() error { _, err := db.Versions(ctx, "k"); return err },
		"ReadVersion": func() error { _, err := db.ReadVersion(ctx, "k", newID()); return err },
		"DeleteRange": func() error { _, err := db.DeleteRange(ctx, "a", "z"); return err },
	}
}

var errStopped = errors.New("stopped by the test")

var lifecycleFacts = []fact{
	{"InfoIsSensible", 0, func(e *env) {
		info := e.db.Info()
		if info.Name == "" || info.Look < 0 || info.Writers < 1 || info.Group < 1 || info.Group > driver.MaxGroup {
			e.Errorf("Info = %+v", info)
		}
		e.apply(always("k", "1"))
		if diff := cmp.Diff(info, e.db.Info()); diff != "" {
			e.Errorf("Info changed:\n%s", diff)
		}
	}},
	{"AnEndedContextIsUnavailable", 0, func(e *env) {
		e.apply(always("k", "1"))
		canceled, cancel := context.WithCancel(e.ctx)
		cancel()
		stopped, stop := context.WithCancelCause(e.ctx)
		stop(errStopped)
		for _, c := range []struct {
			ctx  context.Context
			want error
		}{{canceled, context.Canceled}, {stopped, errStopped}} {
			for name, call := range calls(c.ctx, e.db) {
				if err := call(); !errors.Is(err, driver.ErrUnavailable) || !errors.Is(err, c.want) {
					e.Errorf("%s: %v, want ErrUnavailable and %v", name, err, c.want)
				}
			}
		}
		e.holds("k", "1")
		e.apply(always("k", "2"))
		e.holds("k", "2")
	}},
	{"ClosedIsErrClosed", 0, func(e *env) {
		e.apply(always("k", "1"))
		if err := e.db.Close(); err != nil {
			e.Fatalf("Close: %v", err)
		}
		for name, call := range calls(e.ctx, e.db) {
			if err := call(); !errors.Is(err, driver.ErrClosed) {
				e.Errorf("%s after Close: %v, want ErrClosed", name, err)
			}
		}
		if err := e.db.Close(); !errors.Is(err, driver.ErrClosed) {
			e.Errorf("Close after Close: %v, want ErrClosed", err)
		}
	}},
	{"CloseWaitsForCallsUnderWay", 0, func(e *env) {
		// Every call either does all that it says or is ErrClosed, and what was
		// acknowledged before or during Close is there afterwards.
		const writers = 8
		var acknowledged [writers]atomic.Int64
		var wg sync.WaitGroup
		begun := make(chan struct{}, writers)
		db := e.db // the one that is closed, whatever is opened afterwards
		for i := range writers {
			wg.Go(func() {
				for n := int64(1); ; n++ {
					out, err := db.Commit(e.ctx, driver.Group{Batches: []driver.Batch{batch(always(fmt.Sprintf("w/%d", i), fmt.Sprint(n)))}})
					if n == 1 {
						begun <- struct{}{}
					}
					if errors.Is(err, driver.ErrClosed) {
						return
					}
					if err != nil || len(out[0].Refused) != 0 {
						e.Errorf("Commit during Close = %v, %v, want applied or ErrClosed", out, err)
						return
					}
					acknowledged[i].Store(n)
				}
			})
		}
		for range writers {
			<-begun
		}
		if e.h.Reopen != nil {
			e.reopen()
		} else if err := e.db.Close(); err != nil {
			e.Fatalf("Close: %v", err)
		}
		wg.Wait()
		if e.h.Reopen == nil {
			return
		}
		for i := range writers {
			e.holds(fmt.Sprintf("w/%d", i), fmt.Sprint(acknowledged[i].Load()))
		}
	}},
	{"ReopeningFindsEverything", needsReopen, func(e *env) {
		e.fill()
		e.save("a", everyVersion)
		e.apply(driver.Write{Key: "b", Mode: driver.Always, Delete: true})
		before, versions := e.list(driver.Query{}).Entries, e.versions("a")
		e.reopen()
		if diff := cmp.Diff(before, e.list(driver.Query{}).Entries); diff != "" {
			e.Errorf("List after reopening (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(versions, e.versions("a")); diff != "" {
			e.Errorf("Versions after reopening (-want +got):\n%s", diff)
		}
	}},
	{"SecondOutlivesTheFirst", needsSecond, func(e *env) {
		e.apply(always("k", "1"))
		other := e.second()
		e.close(e.db)
		e.db = other
		e.holds("k", "1")
		e.apply(always("k", "2"))
		e.holds("k", "2")
	}},
}
