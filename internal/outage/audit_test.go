package outage_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// heal ends everything that is wrong with the wires of servers that run.
func (f *fleet) heal() {
	for _, s := range f.servers {
		s.proxy.Use(nil)
		s.proxy.Cut() // of what was muted, nobody else would ever hear
	}
}

// audit shuts all servers down and checks what is left.
func (f *fleet) audit() {
	f.heal()
	for _, s := range slices.Clone(f.servers) {
		f.shutDown(s)
	}
	f.log("all servers have shut down")
	f.plan = nil
	a := f.start()
	last := make(map[*player]*update)
	for _, p := range f.check.players {
		last[p] = f.reopen(a, p)
	}
	f.check.wholeGroups(last)
	for _, p := range f.check.players {
		f.oneLine(a, p, last[p])
	}
	f.shutDown(a)
}

// reopen opens a player when all others have gone, and closes him again.
func (f *fleet) reopen(a *server, p *player) *update {
	ctx, cancel := context.WithTimeout(f.ctx, time.Minute)
	defer cancel()
	floor := f.check.floor(p)
	ss, err := a.srv.Open(ctx, p.key, nil)
	if err != nil {
		f.check.fail(fmt.Errorf("the auditor opens %v: %w", p.key, err))
		return p.origin
	}
	ss.Lock()
	text := ss.Document().AppendJSON(nil)
	ss.Unlock()
	u := f.check.seen(p, text, floor, "the auditor")
	if err := ss.Close(ctx); err != nil {
		f.check.fail(fmt.Errorf("the auditor closes %v: %w", p.key, err))
	}
	if v, err := a.srv.Peek(ctx, p.key); err != nil || v.Holder != nil {
		f.check.fail(fmt.Errorf("the auditor peeks at %v: %w, holder %v", p.key, err, v))
	}
	return u
}

// oneLine checks that each version of a player that the database has kept
// stands on the version before it.
func (f *fleet) oneLine(a *server, p *player, last *update) {
	ctx, cancel := context.WithTimeout(f.ctx, time.Minute)
	defer cancel()
	infos, err := a.srv.Versions(ctx, p.key)
	if err != nil {
		f.check.fail(err)
		return
	}
	before := p.origin
	for _, info := range infos {
		v, err := a.srv.ReadVersion(ctx, p.key, info.Version)
		if err != nil {
			f.check.fail(err)
			return
		}
		u, err := f.check.identify(p, v.Document.AppendJSON(nil))
		switch {
		case err != nil:
			f.check.fail(fmt.Errorf("version %v: %w", info.Version, err))
			return
		case !before.within(u):
			f.check.fail(fmt.Errorf("two lines: version %v of %v holds update %v, the one before it %v", info.Version, p.key, u, before))
		}
		before = u
	}
	if last != nil && !last.within(before) {
		f.check.fail(fmt.Errorf("%v ends at update %v, its versions at %v", p.key, last, before))
	}
	if len(infos) < 2 {
		f.check.fail(errors.New("the database kept no versions: the audit saw nothing"))
	}
}
