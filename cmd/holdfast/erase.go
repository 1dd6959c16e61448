package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/holdfast-games/holdfast/audit"
	"github.com/holdfast-games/holdfast/internal/console"
	"github.com/holdfast-games/holdfast/session"
	"github.com/holdfast-games/holdfast/store"
)

// eraseCmd erases players for ever, or shows that nothing is left of them.
type eraseCmd struct {
	Key    *keyArg       `arg:"" optional:"" help:"The player, as kind/id: player/42."`
	File   string        `placeholder:"PATH" help:"Erase all whom a file names, - for standard input: a line for each with an id, a key, or JSON with one. Lines that begin with # are comments."`
	Kind   string        `default:"player" placeholder:"KIND" help:"The kind of those of whom the file has an id only (default player)."`
	Reason string        `placeholder:"TEXT" help:"Why: for the audit log, which keeps how many were erased and not whom."`
	By     string        `placeholder:"NAME" help:"Who does it, for the audit log (default: your user name and this machine's)."`
	Yes    bool          `help:"Do it. Without this, the command only shows whom it would erase."`
	NoWait bool          `help:"Do not wait until it is sure that nothing comes late. A server, or the next erase, sees to that."`
	Verify bool          `help:"Erase nothing, and look whether anything is left. Exit code 1 if there is."`
	Wait   time.Duration `placeholder:"TIME" help:"With --verify: look again until nothing is left, for so long."`
	jsonFlag
	timeoutFlag
}

// Help is shown below the command's summary.
func (*eraseCmd) Help() string {
	return "Data, versions, messages and everything else that is a player's is deleted, wherever he is: a server that holds him loses him at once, " +
		"with what it has not put into the database. Of purchases only the ids stay, so that none is granted again. What cannot be read is erased too, " +
		"and for who was never there nothing that is on its way will be kept. It takes as long as the longest lease of a server, to be sure that nothing comes late. " +
		"The command may be run again at any time, with the same file, and goes on where it stopped. " +
		"What servers had journalled goes within seconds, and what is kept for followers of the feed with its time: --verify says until when. " +
		"Backups are not touched, nor what other players' data and messages say of him, nor values of named stores; those that are tagged with his id are listed."
}

// Run runs the command.
func (c *eraseCmd) Run(ctx context.Context, e *env) error {
	if err := c.check(); err != nil {
		return err
	}
	list, err := c.list(e)
	if err != nil {
		return err
	}
	if c.Verify {
		return c.verify(ctx, e, list)
	}
	if !c.Yes {
		return c.preview(ctx, e, list)
	}
	db, err := e.openDatabase(ctx, editing, c.timeoutFlag)
	if err != nil {
		return err
	}
	er := &eraser{cmd: c, env: e, db: db, list: list, done: make([]erased, len(list.keys))}
	err = er.run(ctx)
	err = errors.Join(err, db.close())
	return errors.Join(er.report(), err)
}

func (c *eraseCmd) check() error {
	switch {
	case (c.Key == nil) == (c.File == ""):
		return usageError{errors.New("give a player, or a --file of them")}
	case (session.Key{Kind: c.Kind, ID: "x"}).Check() != nil:
		return usageError{(session.Key{Kind: c.Kind, ID: "x"}).Check()}
	case c.Verify && (c.Yes || c.NoWait || c.Reason != "" || c.By != ""):
		return usageError{errors.New("--verify erases nothing: leave --yes, --no-wait, --reason and --by out")}
	case c.Wait < 0 || c.Wait > 0 && !c.Verify:
		return usageError{fmt.Errorf("--wait %v: give a time above zero, and --verify", c.Wait)}
	case c.Verify:
		return nil
	}
	act := actFlags{Reason: c.Reason, By: c.By}
	err := act.checkAct()
	c.By = act.By
	return err
}

// eraseAtOnce is how many players are erased at a time.
const eraseAtOnce = 256

// eraser is one run of the command.
type eraser struct {
	cmd  *eraseCmd
	env  *env
	db   *database
	srv  *session.Server
	list *eraseList
	done []erased // one for each key
	bar  *console.Progress

	tagged []store.Tagged
}

// erased is what has become of one player.
type erased struct {
	session.Erasure
	err   error
	tried bool
}

// run erases all, and then waits for all together until it is sure that nothing comes
// late.
func (er *eraser) run(ctx context.Context) (err error) {
	if er.srv, err = er.env.serve(er.db, "erase", limitFlags{}.limits()); err != nil {
		return err
	}
	if err := er.note("begun", map[string]int{"players": len(er.list.keys)}); err != nil {
		return errors.Join(err, er.db.retire(er.srv))
	}
	err = er.pass(ctx, "erase", true)
	if er.db.ctx.Err() == nil { // else nothing can be written any more
		err = errors.Join(err, er.note(audit.Done, map[string]int{"erased": er.erased()}))
	}
	if err == nil && !er.cmd.NoWait {
		err = er.pass(ctx, "sweep", false)
	}
	if err == nil {
		err = er.findTagged()
	}
	return errors.Join(err, er.db.retire(er.srv))
}

// note writes into the audit log that it begins, and in the end how many were erased;
// not whom: that would bring their ids back.
func (er *eraser) note(result string, details map[string]int) error {
	act := actFlags{Reason: er.cmd.Reason, By: er.cmd.By}
	a, err := act.act("erase", session.Key{}, details)
	if err == nil {
		a.Result = result
		_, err = audit.Write(er.db.ctx, er.db.DB, er.srv.Name(), er.srv.Now(), a)
	}
	return er.db.why(err)
}

// erased returns how many this run has erased.
func (er *eraser) erased() (n int) {
	for i := range er.done {
		if d := &er.done[i]; !d.At.IsZero() && !d.Before {
			n++
		}
	}
	return n
}

// pass goes over all players once, many at a time.
func (er *eraser) pass(ctx context.Context, title string, noWait bool) error {
	er.bar = console.NewProgress(er.env.err, title, int64(len(er.list.keys)), console.Things)
	defer er.bar.Close()
	var g errgroup.Group
	g.SetLimit(eraseAtOnce)
	for i := range er.list.keys {
		if err := er.stopped(ctx, i); err != nil {
			return errors.Join(err, g.Wait())
		}
		if er.done[i].err != nil {
			er.bar.Add(1)
			continue
		}
		g.Go(func() error {
			er.one(i, noWait)
			return nil
		})
	}
	return g.Wait()
}

// one takes the erasure of one player further. What an earlier pass has found out
// stays.
func (er *eraser) one(i int, noWait bool) {
	d := &er.done[i]
	now, err := er.srv.Erase(er.db.ctx, er.list.keys[i], &session.EraseOptions{Reason: er.cmd.Reason, NoWait: noWait})
	if d.tried {
		d.Deleted, d.Swept = d.Deleted+now.Deleted, now.Swept
	} else {
		d.Erasure, d.tried = now, true
	}
	d.err = er.db.why(err)
	er.bar.Add(1)
	if !d.At.IsZero() && noWait {
		er.env.log.Info("erased", "key", d.Key.String())
	}
}

// stopped returns why nothing more is done, beginning with a player.
func (er *eraser) stopped(ctx context.Context, i int) error {
	switch {
	case er.db.ctx.Err() != nil:
		return fmt.Errorf("stopped before %v: %w", er.list.keys[i], context.Cause(er.db.ctx))
	case ctx.Err() != nil:
		return fmt.Errorf("stopped before %v: interrupted: %w", er.list.keys[i], context.Cause(ctx))
	}
	return nil
}

// findTagged looks for values of named stores that are about one of the players.
func (er *eraser) findTagged() error {
	ids := make([]string, len(er.list.keys))
	for i, key := range er.list.keys {
		ids[i] = key.ID
	}
	for t, err := range er.db.Tagged(er.db.ctx, ids...) {
		switch {
		case err != nil && t.Store == "":
			return er.db.why(err)
		case err != nil:
			fmt.Fprintln(er.env.err, console.Clean(firstLine(err)))
		default:
			er.tagged = append(er.tagged, t)
		}
	}
	return nil
}

// erasureJSON is what became of one player, as it is written with --json.
type erasureJSON struct {
	Key       string      `json:"key"`
	Erased    *time.Time  `json:"erased,omitzero"` // none: it is not, or nobody knows
	Swept     bool        `json:"swept"`
	Before    bool        `json:"before,omitzero"`
	NeverSeen bool        `json:"never_seen,omitzero"`
	Damaged   bool        `json:"damaged,omitzero"`
	From      *holderJSON `json:"from,omitzero"`
	Deleted   int         `json:"deleted"`
	Error     string      `json:"error,omitzero"`
}

// taggedJSON is a value of a named store that is about somebody.
type taggedJSON struct {
	Store string   `json:"store"`
	Key   string   `json:"key"`
	Users []string `json:"users"`
}

// eraseJSON is the report with --json.
type eraseJSON struct {
	Erased     int           `json:"erased"`
	Before     int           `json:"before"`
	NeverSeen  int           `json:"never_seen"`
	Failed     int           `json:"failed"`
	NotTried   int           `json:"not_tried"`
	Players    []erasureJSON `json:"players"`
	Refused    []badLine     `json:"refused"`
	Duplicates int           `json:"duplicates"`
	Tagged     []taggedJSON  `json:"tagged"`
}

// errNotErased means that not everybody was erased, and that this was said.
var errNotErased = errors.New("not everybody was erased; run the command again when the reason has passed")

func (er *eraser) sum() *eraseJSON {
	sum := &eraseJSON{Players: []erasureJSON{}, Refused: append([]badLine{}, er.list.refused...), Duplicates: er.list.duplicates, Tagged: []taggedJSON{}}
	for i := range er.done {
		d := &er.done[i]
		j := erasureJSON{
			Key: er.list.keys[i].String(), Erased: jsonTime(d.At), Swept: d.Swept, Before: d.Before, NeverSeen: d.NeverSeen(),
			Damaged: d.Damaged, From: jsonHolder(d.From), Deleted: d.Deleted, Error: errText(d.err),
		}
		sum.Players = append(sum.Players, j)
		switch {
		case !d.tried:
			sum.NotTried++
		case d.err != nil:
			sum.Failed++
		case d.Before:
			sum.Before++
		case j.NeverSeen:
			sum.NeverSeen++
		default:
			sum.Erased++
		}
	}
	for _, t := range er.tagged {
		sum.Tagged = append(sum.Tagged, taggedJSON{t.Store, t.Entry.Key, t.Entry.Users})
	}
	return sum
}

// report says what has become of everybody.
func (er *eraser) report() error {
	sum := er.sum()
	var err error
	if er.cmd.JSON {
		err = writeJSON(er.env.out, sum)
	} else {
		err = er.tables(sum)
	}
	if err == nil && sum.Failed+sum.NotTried+len(sum.Refused) > 0 {
		err = errNotErased
	}
	return err
}

func (er *eraser) tables(sum *eraseJSON) error {
	header := []string{"ERASED", "BEFORE", "NEVER SEEN", "FAILED", "NOT TRIED", "REFUSED"}
	var row []string
	for _, n := range []int{sum.Erased, sum.Before, sum.NeverSeen, sum.Failed, sum.NotTried, len(sum.Refused)} {
		row = append(row, strconv.Itoa(n))
	}
	tables := []table{{header, [][]string{row}}}
	if er.cmd.Key != nil {
		tables = append(tables, playersTable(sum.Players, func(*erasureJSON) bool { return true }))
	} else {
		tables = append(tables, playersTable(sum.Players, func(j *erasureJSON) bool { return j.Error != "" || !j.Swept && j.Erased != nil }))
	}
	tables = append(tables, refusedTable(sum.Refused))
	tagged := table{header: []string{"TAGGED IN STORE", "KEY", "USERS"}}
	for _, t := range sum.Tagged {
		tagged.rows = append(tagged.rows, []string{t.Store, t.Key, fmt.Sprint(t.Users)})
	}
	return writeTables(er.env, append(tables, tagged)...)
}

// playersTable shows those of the players who are wanted.
func playersTable(all []erasureJSON, wanted func(*erasureJSON) bool) table {
	t := table{header: []string{"KEY", "ERASED", "SWEPT", "DELETED", "FROM", "NOTE"}}
	for i := range all {
		j := &all[i]
		if !wanted(j) {
			continue
		}
		at, swept, from := "", "no", ""
		if j.Erased != nil {
			at = console.Time(*j.Erased)
		}
		if j.Swept {
			swept = "yes"
		}
		if j.From != nil {
			from = j.From.Server
		}
		t.rows = append(t.rows, []string{j.Key, at, swept, strconv.Itoa(j.Deleted), from, eraseNote(j)})
	}
	return t
}

func eraseNote(j *erasureJSON) string {
	switch {
	case j.Error != "":
		return "! " + j.Error
	case j.Before:
		return "had been erased before"
	case j.NeverSeen:
		return "was never seen"
	case j.Damaged:
		return "could not be read"
	}
	return ""
}

// table is one of several tables of a report; one without rows is left out.
type table struct {
	header []string
	rows   [][]string
}

func writeTables(e *env, tables ...table) error {
	first := true
	for _, t := range tables {
		if len(t.rows) == 0 {
			continue
		}
		if !first {
			fmt.Fprintln(e.out)
		}
		first = false
		if err := console.Table(e.out, t.header, t.rows); err != nil {
			return err
		}
	}
	return nil
}
