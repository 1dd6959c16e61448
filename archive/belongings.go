package archive

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/receipt"
	"github.com/holdfast-games/holdfast/session"
	"github.com/holdfast-games/holdfast/store"
)

// purchase is one purchase in purchases.json.
type purchase struct {
	ID       string          `json:"id"`
	State    receipt.State   `json:"state,omitempty"`
	Product  string          `json:"product,omitempty"`
	Quantity int64           `json:"quantity,omitempty"`
	Payer    string          `json:"payer,omitempty"`
	Bought   *time.Time      `json:"bought,omitempty"`
	Sandbox  bool            `json:"sandbox,omitempty"`
	Details  json.RawMessage `json:"details,omitempty"`
	Claimed  *act            `json:"claimed,omitempty"`
	Granted  *act            `json:"granted,omitempty"`
	Refunded *act            `json:"refunded,omitempty"`
	Released *act            `json:"released,omitempty"`
	Note     string          `json:"note,omitempty"`
}

// act is one step of a purchase.
type act struct {
	At     time.Time `json:"at"`
	Reason string    `json:"reason,omitempty"`
	Into   string    `json:"into,omitempty"`
}

func actOf(r receipt.Act) *act {
	if r.At.IsZero() {
		return nil
	}
	return &act{r.At.UTC(), r.Reason, r.Into}
}

// purchases adds what was bought.
func (a *writer) purchases(ctx context.Context) error {
	all := []purchase{}
	for r, err := range receipt.NewReader(a.db).Receipts(ctx, a.key) {
		if err != nil && r.ID == "" {
			return err
		}
		p := purchase{
			ID: r.ID, State: r.State, Product: r.Product, Quantity: r.Quantity, Payer: r.Payer, Bought: known(r.At), Sandbox: r.Sandbox,
			Details: r.Details, Claimed: actOf(r.Claimed), Granted: actOf(r.Granted), Refunded: actOf(r.Refunded), Released: actOf(r.Released),
		}
		if err != nil {
			p.Note = err.Error()
			a.note("purchase %q could not be decoded: %v", r.ID, err)
		}
		all = append(all, p)
	}
	a.sum.Purchases = len(all)
	return a.json("purchases.json", all)
}

// letter is one message in mail.json or dead-letters.json.
type letter struct {
	ID     string          `json:"id"`
	Topic  string          `json:"topic,omitempty"`
	Sent   *time.Time      `json:"sent,omitempty"`
	From   string          `json:"from,omitempty"`
	Giver  string          `json:"giver,omitempty"`
	Until  *time.Time      `json:"until,omitempty"`
	Reason string          `json:"reason,omitempty"`
	Body   json.RawMessage `json:"body,omitempty"`
	Died   *time.Time      `json:"died,omitempty"`
	Error  string          `json:"error,omitempty"`
	Note   string          `json:"note,omitempty"`
}

func letterOf(m *profile.Message, err error) letter {
	l := letter{
		ID: m.ID, Topic: m.Topic, Sent: known(m.Sent), From: m.From, Until: known(m.Until), Reason: m.Reason, Body: m.Body,
	}
	if m.Giver != (session.Key{}) {
		l.Giver = m.Giver.String()
	}
	if err != nil {
		l.Note = err.Error()
	}
	return l
}

// letters adds the messages that wait, and those whose handler failed.
func (a *writer) letters(ctx context.Context) error {
	mail, dead := []letter{}, []letter{}
	for m, err := range profile.Messages(ctx, a.db, a.key) {
		if err != nil && m.ID == "" {
			return err
		}
		mail = append(mail, letterOf(&m, err))
	}
	for d, err := range profile.DeadLetters(ctx, a.db, a.key) {
		if err != nil && d.ID == "" {
			return err
		}
		l := letterOf(&d.Message, err)
		l.Died, l.Error = known(d.Died), d.Reason
		dead = append(dead, l)
	}
	a.sum.Messages, a.sum.Dead = len(mail), len(dead)
	if err := a.json("mail.json", mail); err != nil {
		return err
	}
	return a.json("dead-letters.json", dead)
}

func known(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// entry is one entry of the database in entries.json.
type entry struct {
	Key     string    `json:"key"`
	Written time.Time `json:"written"`
	Bytes   int       `json:"bytes"`
	File    string    `json:"file"`
	Note    string    `json:"note,omitempty"`
	// Versions are older versions that are kept, the oldest first.
	Versions []oldEntry `json:"versions,omitempty"`
}

// oldEntry is an older version of an entry.
type oldEntry struct {
	Written time.Time `json:"written"`
	Bytes   int       `json:"bytes"`
	File    string    `json:"file"`
}

// entriesPage is how many entries are read at a time.
const entriesPage = 64

// belongings adds every entry that belongs to the player: what lies under his key, and
// what is named there.
func (a *writer) belongings(ctx context.Context) error {
	all := []entry{}
	q := driver.Query{Prefix: a.key.String() + "/", Limit: entriesPage}
	for {
		page, err := a.db.List(ctx, q)
		if err != nil {
			return err
		}
		var outside []string
		for i := range page.Entries {
			e := &page.Entries[i]
			if out, ok := session.Outside(a.key, e.Key); ok {
				outside = append(outside, out)
			}
			if all, err = a.entry(ctx, all, e); err != nil {
				return err
			}
		}
		snap, err := a.db.Read(ctx, outside...)
		if err != nil {
			return err
		}
		for i := range snap.Entries {
			if !snap.Entries[i].Found() {
				continue
			}
			if all, err = a.entry(ctx, all, &snap.Entries[i]); err != nil {
				return err
			}
		}
		if !page.More {
			break
		}
		q.After = page.Entries[len(page.Entries)-1].Key
	}
	a.sum.Entries = len(all)
	return a.json("entries.json", all)
}

// entry adds one entry, with its versions.
func (a *writer) entry(ctx context.Context, all []entry, e *driver.Entry) ([]entry, error) {
	x := entry{Key: e.Key, Written: e.Updated.Wall.UTC(), Bytes: len(e.Value)}
	if e.Damaged != nil {
		x.Note = "damaged, and included as it is stored: " + e.Damaged.Error()
		a.note("entry %q is %s", e.Key, x.Note)
	}
	name := fmt.Sprintf("entries/%s-%04d", wordFor(a.key, e.Key), len(all)+1)
	var err error
	if x.File, err = a.raw(name, e.Value); err != nil {
		return nil, err
	}
	x.Versions, err = a.oldEntries(ctx, name, e)
	return append(all, x), err
}

// oldEntries adds the older versions of an entry. One that goes meanwhile is left out.
func (a *writer) oldEntries(ctx context.Context, name string, e *driver.Entry) (all []oldEntry, err error) {
	list, err := a.db.Versions(ctx, e.Key)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	for _, v := range list {
		if v.Version == e.Version {
			continue
		}
		old, err := a.db.ReadVersion(ctx, e.Key, v.Version)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		x := oldEntry{Written: old.Updated.Wall.UTC(), Bytes: len(old.Value)}
		if old.Damaged != nil {
			a.note("a version of entry %q is damaged, and included as it is stored: %v", e.Key, old.Damaged)
		}
		if x.File, err = a.raw(fmt.Sprintf("%s-version-%04d", name, len(all)+1), old.Value); err != nil {
			return nil, err
		}
		all = append(all, x)
	}
	return all, nil
}

// wordFor returns a word for what an entry is, for the name of its file: the keys
// themselves may hold what no file's name should.
func wordFor(key session.Key, entry string) string {
	word := strings.TrimPrefix(entry, key.String()+"/")
	word, _, _ = strings.Cut(strings.TrimPrefix(word, "~"), "/")
	plain := strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' {
			return r
		}
		return -1
	}, word)
	if plain == "" || len(plain) > 30 {
		return "entry"
	}
	return plain
}

// tagged is a value of a named store in stores.json.
type tagged struct {
	Store   string            `json:"store"`
	Key     string            `json:"key"`
	Written time.Time         `json:"written"`
	Users   []string          `json:"users"`
	Meta    map[string]string `json:"meta,omitempty"`
	File    string            `json:"file"`
}

// stores adds the values of named stores that are tagged with the player's id.
func (a *writer) stores(ctx context.Context) error {
	all := []tagged{}
	for t, err := range a.db.Tagged(ctx, a.key.ID) {
		switch {
		case err != nil && t.Store == "":
			return err
		case err != nil:
			a.note("whether it is about this player is not known: %v", err)
			continue
		}
		e := &t.Entry
		x := tagged{Store: t.Store, Key: e.Key, Written: e.Updated.UTC(), Users: e.Users, Meta: e.Meta}
		if x.File, err = a.raw(fmt.Sprintf("stores/%04d", len(all)+1), e.Value); err != nil {
			return err
		}
		all = append(all, x)
	}
	a.sum.Tagged = len(all)
	return a.json("stores.json", all)
}
