package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/session"
)

// maxBackupReason is how many bytes the number of a backup adds to a reason.
const maxBackupReason = 30

// backupReason is the reason of the version that a backup became.
func backupReason(reason string, number int64) string {
	return fmt.Sprintf("%s: backup %d", reason, number)
}

// fill gives a new player his document, and before it, as versions of their own,
// the backups from number from on.
func (im *importer) fill(s *session.Session, it *item, doc *document.Document, from int) error {
	m := it.moved
	if m == nil || m.number(len(m.older)) == 0 {
		return im.put(s, doc, im.cmd.Reason)
	}
	limits := im.cmd.limits()
	for i := from; i < len(m.older); i++ {
		old, err := m.backup(i, &limits)
		if err != nil { // one that is lost anyway must not keep the player from what he has
			m.failed = append(m.failed, fmt.Sprintf("backup %d at %s: %s", m.number(i), m.from(m.older[i]), firstLine(err)))
			continue
		}
		if err := im.put(s, old, backupReason(im.cmd.Reason, m.number(i))); err != nil {
			return err
		}
		if err := s.Save(im.db.ctx); err != nil {
			return err
		}
	}
	return im.put(s, doc, backupReason(im.cmd.Reason, m.number(len(m.older))))
}

// mayGoOn reports whether a player who exists with other data may be one whose
// import was interrupted between two backups. Err is why he was not admitted. What
// a dead server has left in its journal is known once the player was opened.
func (im *importer) mayGoOn(it *item, err error) bool {
	if it.moved == nil || len(it.moved.older) == 0 || !errors.Is(err, errExists) {
		return false
	}
	v, err := im.rd.Peek(im.db.ctx, it.key)
	if err != nil {
		return false
	}
	if v.Holder != nil {
		return !living(v.Holder)
	}
	_, ok := im.goesOn(it, v.Document)
	return ok
}

// goesOn reports whether a player has what a backup holds because an import with
// the same reason put it there and came no further, and which backup is next. So
// the last act that has a reason must be that import's: who was restored to an
// older backup since stays as he is. And the data must be that backup's, or a later
// one's: who has played since stays too.
func (im *importer) goesOn(it *item, now *document.Document) (int, bool) {
	m := it.moved
	if m == nil || len(m.older) == 0 {
		return 0, false
	}
	last, ok := im.lastBackup(it.key)
	if !ok {
		return 0, false
	}
	limits, text := im.cmd.limits(), now.AppendJSON(nil)
	for i := len(m.older) - 1; i >= 0 && m.number(i) >= last; i-- {
		if old, err := m.backup(i, &limits); err == nil && document.Equal(text, old.AppendJSON(nil)) {
			return i + 1, true
		}
	}
	return 0, false
}

// without is how many versions without a reason lastBackup looks past: those that
// locks and releases have made since.
const without = 8

// lastBackup returns the number of the backup that is the last act upon a player,
// if that is an import's with this reason.
func (im *importer) lastBackup(key session.Key) (int64, bool) {
	list, err := im.rd.Versions(im.db.ctx, key)
	if err != nil {
		return 0, false
	}
	for i := len(list) - 1; i >= max(0, len(list)-without); i-- {
		v, err := im.rd.ReadVersion(im.db.ctx, key, list[i].Version)
		if err != nil {
			return 0, false
		}
		if v.Reason == "" {
			continue
		}
		// A take-over may have joined the reasons of several changes.
		prefix := im.cmd.Reason + ": backup "
		at := strings.LastIndex(v.Reason, prefix)
		if at < 0 {
			return 0, false
		}
		n, err := strconv.ParseInt(v.Reason[at+len(prefix):], 10, 64)
		return n, err == nil
	}
	return 0, false
}
