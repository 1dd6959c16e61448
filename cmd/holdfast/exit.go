package main

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/feed"
	"github.com/holdfast-games/holdfast/internal/console"
	"github.com/holdfast-games/holdfast/mailbox"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/session"
	"github.com/holdfast-games/holdfast/store"
)

// The exit codes of every command.
const (
	exitOK       = 0
	exitError    = 1
	exitUsage    = 2
	exitLocked   = 3
	exitNotFound = 4
)

const exitCodes = `
Exit codes:
  0  done
  1  an error, or some of what was asked for could not be done
  2  the command line is wrong; nothing was tried
  3  another server holds the player
  4  there is no such player, version, save slot or database
`

// errNoDatabase means that a command needs a database that exists.
var errNoDatabase = errors.New("no such database")

// usageError is an error in the command line.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// exitCode returns the exit code that tells an error.
func exitCode(err error) int {
	var usage usageError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &usage):
		return exitUsage
	case errors.Is(err, session.ErrLocked):
		return exitLocked
	case errors.Is(err, session.ErrNotFound), errors.Is(err, store.ErrNotFound), errors.Is(err, errNoDatabase),
		errors.Is(err, profile.ErrGone), errors.Is(err, mailbox.ErrNoGrant),
		errors.Is(err, profile.ErrUnknownSlot), errors.Is(err, profile.ErrNoSlots):
		return exitNotFound
	}
	return exitError
}

// fail writes an error, and what can be done about it, and returns its exit
// code.
func (e *env) fail(err error) int {
	for line := range strings.Lines(err.Error()) {
		fmt.Fprintln(e.err, "holdfast:", console.Clean(strings.TrimSpace(line)))
	}
	if hint := advice(err); hint != "" {
		fmt.Fprintln(e.err, hint)
	}
	return exitCode(err)
}

// hints say what was kept and what can be done, for each sort of error. The
// first that fits is shown.
var hints = []struct {
	err  error
	hint string
}{
	{errNoDatabase, "Nothing was created. Check --db, or begin a database with holdfast import."},
	{session.ErrUnfinished, "Nothing was changed. Run the holdfast copy that was begun again: it goes on where it stopped. Or begin with an empty database."},
	{errOccupied, "Nothing in it was changed. If a copy into it has come to its end, servers can use it; otherwise name an empty database."},
	{driver.ErrForeign, "It was left as it is. Check --db: it should name a database that Holdfast made, or a new one."},
	{driver.ErrFormat, "The database was left as it is. Use a holdfast at least as new as the one that wrote it."},
	{driver.ErrReadOnly, "Nothing was written. Let this user write to the file and to its folder; on PostgreSQL, name the primary and a role that may write."},
	{driver.ErrFull, "What had been saved before is kept. Free space on the disk, look with holdfast get, and run the command again."},
	{feed.ErrExpired, "What was missed is kept no longer. Read the players anew, and follow from the end: --from end."},
	{profile.ErrDeeds, "Nothing was changed. To restore all the same, say --despite: what he bought is not given again, and what he traded away he has again."},
	{profile.ErrOtherBirth, "Nothing was changed. What was kept under this id before was erased."},
	{profile.ErrPending, "It is on disk, and done as soon as the server that holds the player answers, or gives him up; or never, if its time is over before. Look with holdfast versions and holdfast audit log."},
	{session.ErrErased, "The player was erased, and nothing brings that data back."},
	{session.ErrLost, "Another took the player over. Nothing more was written; look with holdfast get."},
	{store.ErrUncertain, "Whether the change was made is not known. Look with holdfast get before you try again."},
	{document.ErrTooLarge, "Nothing was changed. If the game's servers allow more, say so with --max-bytes or --max-fields."},
	{document.ErrTooDeep, "Nothing was changed. If the game's servers allow more, say so with --max-depth."},
	{driver.ErrCorrupt, "What is stored was left as it is. Look for an older version with holdfast versions, or for a backup."},
	{driver.ErrUnavailable, "The database gave no answer. What had been saved before is kept; see that it runs, can be reached and has room, and try again."},
	{fs.ErrPermission, "Nothing was changed. Check who may read and write the file."},
}

func advice(err error) string {
	for _, h := range hints {
		if errors.Is(err, h.err) {
			return h.hint
		}
	}
	return ""
}
