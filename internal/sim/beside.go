package sim

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/store"
)

// beside is what the database holds beside the roots, of what belongs to the
// players: messages, what came of them, and records.
type beside map[string][]byte

// The folders under a player's root.
const (
	mailFolder   = "mail"
	doneFolder   = "done"
	deadFolder   = "dead"
	recordFolder = "record"
)

// auditPrefix is what the keys of the audit log begin with.
const auditPrefix = "~audit/"

func (p *player) entry(folder, id string) string {
	return p.root + "/" + folder + "/" + store.JoinKey(id)
}

// ownerOf returns the player to whom an entry belongs, or nil.
func (c *checker) ownerOf(key string) *player {
	parts := strings.SplitN(key, "/", 3)
	if len(parts) < 3 {
		return nil
	}
	return c.byRoot[parts[0]+"/"+parts[1]]
}

// keep follows what a batch writes beside the roots. It returns the players to
// whom that belongs.
func (c *checker) keep(b *driver.Batch) ([]*player, error) {
	var ps []*player
	for i := range b.Writes {
		w := &b.Writes[i]
		if strings.HasPrefix(w.Key, receiptPrefix) {
			seen, err := c.keepReceipt(b, w)
			if err != nil {
				return nil, err
			}
			ps = append(ps, seen...)
		}
		p := c.ownerOf(w.Key)
		if p == nil {
			continue
		}
		ps = append(ps, p)
		if !creates(w) && !moves(b, p) && !p.sweeps(w) {
			return nil, fmt.Errorf("%s was written in a commit that does not move its root", w.Key)
		}
		c.beside.write(storedWrite{w.Key, w.Value, formOf(w)})
		if p.sweeps(w) {
			c.sweptAway(p, w.Key)
		}
	}
	return ps, nil
}

// creates reports whether a write only creates what is not there.
func creates(w *driver.Write) bool {
	return w.Mode == driver.Once || w.Mode == driver.Expect && w.Version.IsZero() && !w.Delete
}

// moves reports whether a batch moves a player's root.
func moves(b *driver.Batch, p *player) bool {
	return slices.ContainsFunc(b.Writes, func(o driver.Write) bool { return o.Key == p.root })
}

func formOf(w *driver.Write) byte {
	switch {
	case w.Delete:
		return 2
	case w.Mode == driver.Once:
		return 3
	}
	return 1
}

func (b beside) write(w storedWrite) {
	switch {
	case w.form == 2:
		delete(b, w.key)
	case w.form != 3 || b[w.key] == nil:
		b[w.key] = w.value
	}
}

// waiting returns what a player's journal would write beside his root after a
// crash: the outboxes of the records that the root lacks.
func (c *checker) waiting(p *player) []storedWrite {
	var ws []storedWrite
	l := c.leases[p.stored.lease]
	if !p.stored.exists || l == nil {
		return nil
	}
	for _, e := range l.journal {
		for _, r := range e.records {
			switch {
			case r.session != p.stored.session || e.number <= p.stored.position:
			case r.whole:
				ws = slices.Clone(r.outbox) // it stands for all before it
			default:
				ws = append(ws, r.outbox...)
			}
		}
	}
	return ws
}

// after returns what an entry would be after a crash and a replay, given what
// waits for those who write it.
func (b beside) after(key string, waiting ...[]storedWrite) []byte {
	view := beside{}
	if v := b[key]; v != nil {
		view[key] = v
	}
	for _, ws := range waiting {
		for _, w := range ws {
			if w.key == key {
				view.write(w)
			}
		}
	}
	return view[key]
}

// storedLetter is a message, a dead letter, or what came of a message.
type storedLetter struct {
	Until time.Time `json:"until"`
	Error string    `json:"error"`
}

func parseLetter(b []byte) (l storedLetter, err error) {
	if err = json.Unmarshal(b, &l); err != nil {
		err = fmt.Errorf("read letter %.80q: %w", b, err)
	}
	return l, err
}

// checkBeside checks of players that what they were given is with them exactly
// once, and that what they were awarded is recorded, if there were a crash now.
func (c *checker) checkBeside(ps []*player) error {
	for i, p := range ps {
		if slices.Contains(ps[:i], p) {
			continue
		}
		waiting := c.waiting(p)
		for _, id := range p.awards {
			if err := c.checkAward(p, id, waiting); err != nil {
				return err
			}
		}
		if err := c.checkPurchases(p, waiting); err != nil {
			return err
		}
		for _, g := range p.gifts {
			if err := c.checkGift(g); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkAward checks that an award and its record are both on disk or neither.
func (c *checker) checkAward(p *player, id string, waiting []storedWrite) error {
	given := p.durable.got(id)
	recorded := c.beside.after(p.entry(recordFolder, id), waiting) != nil
	if given != recorded {
		return fmt.Errorf("award %s of %v: given is %v, recorded is %v", id, p.key, given, recorded)
	}
	return nil
}

// expects reports whether a message waits for a player, in the database or in the
// outbox of who sends it.
func (c *checker) expects(p *player) bool {
	if p.erasure.tombed {
		return false
	}
	prefix, waiting := p.root+"/"+mailFolder+"/", c.waiting(p)
	for key := range c.beside {
		id, ok := strings.CutPrefix(key, prefix)
		if ok && c.beside.after(p.root+"/"+doneFolder+"/"+id, waiting) == nil {
			return true
		}
	}
	return slices.ContainsFunc(p.gifts, func(g *gift) bool {
		st, err := c.stateOf(g)
		return g.to == p && err == nil && st.waits
	})
}

// mayStay reports whether an entry is one that belongs to a player and stays when
// all servers have closed.
func (c *checker) mayStay(key string) bool {
	if strings.HasPrefix(key, receiptPrefix) || strings.HasPrefix(key, rowsPrefix) || strings.HasPrefix(key, auditPrefix) {
		return true
	}
	if s, _, _ := c.saverOf(key); s != nil {
		return true
	}
	p := c.ownerOf(key)
	if p == nil {
		return false
	}
	if p.erasure.tombed {
		return true // it came after the sweep
	}
	folder, id, _ := strings.Cut(strings.TrimPrefix(key, p.root+"/"), "/")
	return folder != mailFolder || c.beside[p.root+"/"+doneFolder+"/"+id] != nil
}
