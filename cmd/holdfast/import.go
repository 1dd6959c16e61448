package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/holdfast-games/holdfast/audit"
	"github.com/holdfast-games/holdfast/internal/console"
	"github.com/holdfast-games/holdfast/session"
)

// importCmd reads players from JSON.
type importCmd struct {
	Paths   []string `arg:"" name:"path" help:"Folders of .json files, .json files, .jsonl files, or - for JSON Lines from standard input."`
	Kind    string   `default:"player" help:"The kind of the players in folders and .json files (default player). The file's name is the id."`
	Key     *keyArg  `placeholder:"KEY" help:"All files are saves of this one player, in this order: each becomes a version."`
	Replace bool     `help:"Replace the data of players that exist; else they are refused. It needs a --reason."`
	Reason  string   `placeholder:"TEXT" help:"Why, for the audit log and the list of versions (default, without --replace: holdfast import)."`
	By      string   `placeholder:"NAME" help:"Who does it, for the audit log (default: your user name and this machine's)."`
	fromFlags
	jsonFlag
	limitFlags
	timeoutFlag
}

// Help is shown below the command's summary.
func (*importCmd) Help() string {
	return "A file in a folder holds one player's document; a folder of folders, as export writes it, has one for each kind. A line of JSON Lines is {\"key\":\"player/42\",\"data\":{…}}. " +
		"File names are escaped as export escapes them; in a folder they are taken in the order of their names, numbers as numbers. " +
		"What cannot be imported is listed with its reason, and the rest goes on. " +
		"A player that exists with an empty document counts as new. A player whom a living server holds is refused.\n\n" + fromHelp
}

// inFlight is how many players are imported at a time: so many that their
// commits travel together.
const inFlight = 256

// Run runs the command.
func (c *importCmd) Run(ctx context.Context, e *env) error {
	if c.Reason == "" && c.Replace {
		return usageError{errors.New("import: --replace needs --reason TEXT, which says why")}
	}
	act := actFlags{cmp.Or(c.Reason, "holdfast import"), c.By}
	if err := act.checkAct(); err != nil {
		return err
	}
	c.Reason, c.By = act.Reason, act.By
	if err := (session.Key{Kind: c.Kind, ID: "x"}).Check(); err != nil {
		return usageError{err}
	}
	src, err := c.open(ctx, e)
	if err != nil {
		return err
	}
	defer src.close()
	db, err := e.openDatabase(ctx, creating, c.timeoutFlag)
	if err != nil {
		return err
	}
	im := &importer{cmd: c, env: e, db: db, rd: db.reader()}
	err = im.run(ctx, src)
	err = errors.Join(err, db.close())
	return errors.Join(im.report(), err)
}

// importer is one run of an import.
type importer struct {
	cmd *importCmd
	env *env
	db  *database
	rd  *session.Reader
	srv *session.Server
	bar *console.Progress

	mu      sync.Mutex // guards what follows
	count   [states]int
	refused []refusal
	aside   asides
	waits   map[string]bool // leases whose end has been said to be waited for
}

// state is what became of one document.
type state int

const (
	imported state = iota
	unchanged
	empty // the entry holds no data
	refused
	states
)

// refusal is a document that was not imported.
type refusal struct {
	Index  int    `json:"-"`
	From   string `json:"from"`
	Key    string `json:"key,omitzero"`
	Reason string `json:"reason"`
}

// run imports everything that src has. Its error is one that ends the import;
// what became of each document is in the importer.
func (im *importer) run(ctx context.Context, src source) (err error) {
	if im.srv, err = im.env.serve(im.db, "import", im.cmd.limits()); err != nil {
		return err
	}
	if err := im.begin(); err != nil {
		return errors.Join(err, im.db.retire(im.srv))
	}
	im.waits = make(map[string]bool)
	im.bar = console.NewProgress(im.env.err, "import", int64(src.total), console.Things)
	defer im.bar.Close()
	if im.cmd.Key != nil {
		err = im.history(ctx, src)
	} else {
		err = im.all(ctx, src)
	}
	return errors.Join(err, im.db.retire(im.srv))
}

// begin notes the import in the audit log, before anything of it is done.
func (im *importer) begin() error {
	act := actFlags{im.cmd.Reason, im.cmd.By}
	a, err := act.act(session.OriginImport, session.Key{}, map[string]any{"paths": im.cmd.Paths, "replace": im.cmd.Replace})
	if err == nil {
		a.Result = "begun"
		_, err = audit.Write(im.db.ctx, im.db.DB, im.srv.Name(), im.srv.Now(), a)
	}
	return im.db.why(err)
}

// all imports documents of different players, many at a time.
func (im *importer) all(ctx context.Context, src source) error {
	var g errgroup.Group
	g.SetLimit(inFlight)
	first := make(map[session.Key]string)
	for it, err := range src.items {
		if err = im.stopped(ctx, it, err); err != nil {
			return errors.Join(err, g.Wait())
		}
		if from, ok := first[it.key]; ok && it.err == nil {
			it.err = fmt.Errorf("a second document for this player; the first is %s", from)
		} else if it.err == nil {
			first[it.key] = it.from
		}
		g.Go(func() error {
			st, err := im.one(ctx, &it)
			im.note(it, st, err)
			return nil
		})
	}
	return g.Wait()
}

// stopped returns why nothing more is imported, beginning with it: err, an
// interrupt, or a database that was given up.
func (im *importer) stopped(ctx context.Context, it item, err error) error {
	switch {
	case err != nil:
		return err
	case im.db.ctx.Err() != nil:
		err = context.Cause(im.db.ctx)
	case ctx.Err() != nil:
		err = fmt.Errorf("interrupted: %w", context.Cause(ctx))
	default:
		return nil
	}
	return fmt.Errorf("stopped before %s: %w", it.from, err)
}

// one imports one document.
func (im *importer) one(ctx context.Context, it *item) (state, error) {
	doc, err := it.parse(im.cmd.limits())
	switch {
	case errors.Is(err, errNoData):
		return empty, nil
	case err != nil:
		return refused, err
	}
	st, err := im.admit(it.key, doc)
	last, goesOn := im.mayGoOn(it, err)
	if st != imported && !goesOn {
		return st, err
	}
	s, err := im.open(ctx, it.key)
	if err != nil {
		return refused, err
	}
	// Somebody may have been faster than the lock.
	st, err = imported, nil
	from := 0
	if !s.Fresh() {
		now := snapshot(s)
		if st, err = im.compare(now, doc); goesOn && errors.Is(err, errExists) {
			if n, ok := im.next(it, now, last); ok {
				st, from, err = imported, n, nil
			}
		}
	}
	if st == imported {
		if err = im.fill(s, it, doc, from); err != nil {
			st = refused
		}
	}
	if closing := s.Close(im.db.ctx); closing != nil {
		return refused, errors.Join(err, closing)
	}
	return st, err
}

// note counts what became of a document.
func (im *importer) note(it item, st state, err error) {
	im.bar.Add(1)
	im.mu.Lock()
	defer im.mu.Unlock()
	im.count[st]++
	im.aside.add(&it, st)
	if st != refused {
		return
	}
	r := refusal{Index: it.index, From: it.from, Reason: firstLine(im.db.why(err))}
	if it.key != (session.Key{}) {
		r.Key = it.key.String()
	}
	im.refused = append(im.refused, r)
}

// importJSON is the report with --json.
type importJSON struct {
	Imported  int         `json:"imported"`
	Unchanged int         `json:"unchanged"`
	Empty     int         `json:"empty,omitzero"`
	Refused   []refusal   `json:"refused"`
	Notes     *asidesJSON `json:"notes,omitzero"` // with --from
}

// errRefused means that not everything was imported, and that this was said.
var errRefused = errors.New("some documents were not imported")

// report says what became of the documents.
func (im *importer) report() error {
	slices.SortFunc(im.refused, func(a, b refusal) int { return a.Index - b.Index })
	var err error
	if im.cmd.JSON {
		out := importJSON{im.count[imported], im.count[unchanged], im.count[empty], append([]refusal{}, im.refused...), nil}
		if im.cmd.From != "" {
			out.Notes = im.aside.json()
		}
		err = writeJSON(im.env.out, out)
	} else {
		err = im.tables()
	}
	if err == nil && len(im.refused) > 0 {
		err = errRefused
	}
	return err
}

func (im *importer) tables() error {
	head, row := []string{"IMPORTED", "UNCHANGED", "EMPTY", "REFUSED"}, make([]string, states)
	for i, n := range im.count {
		row[i] = strconv.Itoa(n)
	}
	if im.cmd.From == "" { // of Holdfast's own documents none is empty
		head, row = slices.Delete(head, int(empty), int(empty)+1), slices.Delete(row, int(empty), int(empty)+1)
	}
	if err := console.Table(im.env.out, head, [][]string{row}); err != nil {
		return err
	}
	im.aside.print(im.env.out)
	if len(im.refused) == 0 {
		return nil
	}
	rows := make([][]string, len(im.refused))
	for i, r := range im.refused {
		rows[i] = []string{r.From, r.Key, r.Reason}
	}
	fmt.Fprintln(im.env.out)
	return console.Table(im.env.out, []string{"REFUSED", "KEY", "REASON"}, rows)
}
