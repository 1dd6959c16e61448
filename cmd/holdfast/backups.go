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

// mayGoOn reports whether a player who exists with other data is one whose import
// was interrupted between two backups, and from which backup on his data may be.
// Err is why he was not admitted. It is asked before he is opened, as his lock takes
// the place of the version that tells: a dead import holds him, or the last act upon
// him that has a reason is an import's with this one. So who was restored to an
// older backup since stays as he is.
func (im *importer) mayGoOn(it *item, err error) (last int64, ok bool) {
	if it.moved == nil || len(it.moved.older) == 0 || !errors.Is(err, errExists) {
		return 0, false
	}
	v, err := im.rd.Peek(im.db.ctx, it.key)
	switch {
	case err != nil, living(v.Holder):
		return 0, false
	case v.Holder != nil && strings.HasPrefix(v.Holder.Server, importServer):
		return 0, true
	}
	return im.lastBackup(it.key)
}

// importServer is how the names of the servers of imports begin: see serverName.
const importServer = "holdfast import ("

// next returns which backup comes after the one that a player has, from number last
// on. Who has the data of none has played since, and stays as he is.
func (im *importer) next(it *item, now *document.Document, last int64) (int, bool) {
	m, limits, text := it.moved, im.cmd.limits(), now.AppendJSON(nil)
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
