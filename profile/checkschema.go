package profile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/session"
	"github.com/holdfast-games/holdfast/store"
)

// CheckOptions say how CheckSchema checks. Nil is the same as the zero value.
type CheckOptions struct {
	// Limits are those of the game's servers (session.Options.Limits).
	Limits document.Limits
	// Sample checks so many profiles only, drawn at random from all. Zero means
	// all.
	Sample int
	// Examples is how many ids are told of each problem. Zero means 5.
	Examples int
	// MigrationTime bounds the migrations of one profile. Zero means 5 s.
	MigrationTime time.Duration
	// Progress is told, every 1,000 profiles and at the end, how many have been
	// checked. Nil tells nobody.
	Progress func(checked int)
}

func (o *CheckOptions) withDefaults() CheckOptions {
	var c CheckOptions
	if o != nil {
		c = *o
	}
	if c.Examples == 0 {
		c.Examples = 5
	}
	if c.MigrationTime == 0 {
		c.MigrationTime = 5 * time.Second
	}
	return c
}

// Severity says what a problem means for a rollout.
type Severity string

// The severities.
const (
	// Fails means that the profiles would not load.
	Fails Severity = "fails"
	// Warns means that they load, and that something about them is worth a look.
	Warns Severity = "warns"
	// Informs means that nothing is wrong.
	Informs Severity = "informs"
)

// ProblemKind says what a problem is.
type ProblemKind string

// The kinds of problems.
const (
	Damaged      ProblemKind = "damaged"       // fails: what is stored cannot be read
	TooLarge     ProblemKind = "too large"     // fails: beyond the limits
	WrongType    ProblemKind = "wrong type"    // fails: a field holds a value of another type
	BadMigration ProblemKind = "migration"     // fails: one that is due fails, loops or comes too late
	NewerSchema  ProblemKind = "newer schema"  // fails: a newer program has migrated it
	OutOfBounds  ProblemKind = "out of bounds" // warns: stored under another rule, reads as it is
	Unmigrated   ProblemKind = "not migrated"  // warns: one is due that a schema from a file cannot try
	UnknownField ProblemKind = "unknown field" // informs: kept as it is
)

// Problem is what several profiles have in common.
type Problem struct {
	Severity  Severity
	Kind      ProblemKind
	Field     string   // that has it; empty: the whole profile
	Parked    bool     // it is in a save slot that is parked: the profile loads, and the slot does not
	Migration string   // that has it, if it is one's
	Count     int      // profiles that have it
	Examples  []string // ids of some of them
	Detail    string   // what the first one's error says
}

// CheckReport is what CheckSchema has found.
type CheckReport struct {
	Checked  int // profiles
	Fails    int // of those, how many would not load
	Due      int // how many would be migrated
	Problems []Problem
}

// maxProblems is how many different problems are told apart. A game may store
// under names without end; what comes later is counted under no name.
const maxProblems = 1000

// CheckSchema reads the profiles of a schema's kind, or a sample, without their
// locks, and reports what would become of them if a server with this schema loaded
// them: as when a new version of the game is rolled out. Migrations that are due
// are run on copies. Save slots that are parked are checked too. It changes nothing, and may run beside the game's servers; it
// reads about as fast as the database lists, on one processor.
//
// It blocks until all are read or ctx ends. A profile that cannot be read is a
// problem in the report, not an error; ErrSchema is a schema with mistakes, and
// driver.ErrInvalid a negative option.
func CheckSchema(ctx context.Context, db *store.DB, schema *Schema, o *CheckOptions) (*CheckReport, error) {
	opts := o.withDefaults()
	switch {
	case schema == nil:
		return nil, fmt.Errorf("check schema: %w: there is none", ErrSchema)
	case schema.Err() != nil:
		return nil, fmt.Errorf("check schema: %w", schema.Err())
	case opts.Sample < 0 || opts.Examples < 0 || opts.MigrationTime < 0:
		return nil, fmt.Errorf("check schema: %w: negative Sample, Examples or MigrationTime", driver.ErrInvalid)
	}
	c := &checking{CheckOptions: opts, schema: schema, db: db, rd: session.NewReader(db, opts.Limits), at: make(map[problemKey]int), known: make(map[string]bool)}
	for _, f := range schema.fields {
		c.known[f.Name()] = true
	}
	err := c.all(ctx)
	if opts.Sample > 0 {
		err = c.sample(ctx)
	}
	if c.Progress != nil {
		c.Progress(c.report.Checked)
	}
	if err != nil {
		return nil, fmt.Errorf("check schema: %w", err)
	}
	slices.SortStableFunc(c.report.Problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Severity.rank(), b.Severity.rank()), cmp.Compare(b.Count, a.Count))
	})
	return &c.report, nil
}

func (s Severity) rank() int { return slices.Index([]Severity{Fails, Warns, Informs}, s) }

// checking is one check under way.
type checking struct {
	CheckOptions
	schema *Schema
	db     *store.DB
	rd     *session.Reader
	lost   atomic.Int32
	report CheckReport
	at     map[problemKey]int // where a problem stands
	known  map[string]bool    // names of fields

	// Of the profile that is being checked:
	failing bool                // it would not load
	due     bool                // it would be migrated
	parked  bool                // what is looked at is a parked slot of it
	has     map[problemKey]bool // what has been counted
}

type problemKey struct {
	severity         Severity
	kind             ProblemKind
	field, migration string
	parked           bool
}

func (c *checking) all(ctx context.Context) error {
	if c.Sample > 0 {
		return nil
	}
	for v, err := range c.rd.Views(ctx, &session.RootsOptions{Kind: c.schema.kind}) {
		if err != nil {
			return err
		}
		if v.Key.Kind == c.schema.kind && !v.Erased {
			if err := c.look(ctx, v.Key, v.Document, v.Err); err != nil && !gone(err) {
				return err
			}
		}
	}
	return nil
}

// sample draws keys, each with the same chance, and reads them one by one.
func (c *checking) sample(ctx context.Context) error {
	var drawn []session.Key
	n := 0
	for key, err := range c.rd.Keys(ctx, &session.RootsOptions{Kind: c.schema.kind}) {
		if err != nil {
			return err
		}
		if key.Kind != c.schema.kind {
			continue
		}
		if n++; len(drawn) < c.Sample {
			drawn = append(drawn, key)
		} else if i := rand.IntN(n); i < c.Sample {
			drawn[i] = key
		}
	}
	for _, key := range drawn {
		v, err := c.rd.Peek(ctx, key)
		switch {
		case err == nil:
			err = c.look(ctx, key, v.Document, nil)
		case errors.Is(err, driver.ErrCorrupt), errors.Is(err, driver.ErrFormat):
			err = c.look(ctx, key, nil, err)
		}
		if err != nil && !gone(err) {
			return err
		}
	}
	return nil
}

// gone reports whether somebody was erased while he was being checked.
func gone(err error) bool {
	return errors.Is(err, session.ErrErased) || errors.Is(err, session.ErrNotFound)
}

// look checks one profile. An error is one of the database's.
func (c *checking) look(ctx context.Context, key session.Key, d *document.Document, err error) error {
	c.failing, c.due, c.parked, c.has = false, false, false, make(map[problemKey]bool)
	c.report.Checked++
	var lost error
	if err != nil {
		kind := Damaged
		if errors.Is(err, document.ErrTooLarge) || errors.Is(err, document.ErrTooDeep) {
			kind = TooLarge
		}
		c.add(key, Problem{Severity: Fails, Kind: kind}, err)
	} else {
		due, err := c.schema.due(key, d)
		c.load(key, d, due, err, c.migrateAll)
		lost = c.slots(ctx, key, d)
	}
	if c.failing {
		c.report.Fails++
	}
	if c.due {
		c.report.Due++
	}
	if c.Progress != nil && c.report.Checked%1000 == 0 {
		c.Progress(c.report.Checked)
	}
	return lost
}

func (c *checking) migrateAll(key session.Key, d *document.Document, _ []*Migration, m *migrator) error {
	_, err := c.schema.migrateDocument(key, d, m)
	return err
}

// load does what a load does, of a profile or of a parked slot, whose migrations are due
// that it is told, and tells what comes of it.
func (c *checking) load(key session.Key, d *document.Document, due []*Migration, err error, migrate migrate) {
	tried := err == nil
	if len(due) > 0 {
		c.due = true
		tried = !slices.ContainsFunc(due, func(m *Migration) bool { return m.Run == nil })
		if tried {
			err = migrate(key, d, due, &migrator{time.Now(), c.MigrationTime, &c.lost})
		} else {
			c.add(key, Problem{Severity: Warns, Kind: Unmigrated, Migration: due[0].Name}, errNoFunction)
		}
	}
	var failed *MigrationError
	var newer *NewerSchemaError
	switch {
	case errors.As(err, &failed):
		c.add(key, Problem{Severity: Fails, Kind: BadMigration, Migration: failed.Migration}, failed.Err)
	case errors.As(err, &newer):
		c.add(key, Problem{Severity: Fails, Kind: NewerSchema, Migration: newer.Migration}, err)
	case err != nil:
		field := schemaPath.Field
		if c.parked {
			field = slotSchemaPath.Field
		}
		c.add(key, Problem{Severity: Fails, Kind: WrongType, Field: field}, err)
	default:
		c.fields(key, d, tried || len(due) == 0)
	}
}

// fields checks the fields of a profile. If it was not migrated, which may have
// made them fit, those that do not are no failures.
func (c *checking) fields(key session.Key, d *document.Document, migrated bool) {
	severity := Fails
	if !migrated {
		severity = Warns
	}
	known := 0
	for i, f := range c.schema.fields {
		value, ok := d.Get(c.schema.fields[i].common().path)
		if !ok {
			continue
		}
		known++
		if err := loadSlot(f, new(slot), value); err != nil {
			c.add(key, Problem{Severity: severity, Kind: WrongType, Field: f.Name()}, err)
		} else if err := judged(f, value, &c.Limits); err != nil {
			c.add(key, Problem{Severity: Warns, Kind: OutOfBounds, Field: f.Name()}, err)
		}
	}
	if known == d.Len() {
		return
	}
	for name := range d.Fields() {
		if !reserved(name) && !c.known[name] {
			c.add(key, Problem{Severity: Informs, Kind: UnknownField, Field: name}, nil)
		}
	}
}

// add counts a problem of one profile.
func (c *checking) add(key session.Key, p Problem, err error) {
	c.failing = c.failing || p.Severity == Fails
	p.Parked = c.parked
	k := problemKey{p.Severity, p.Kind, p.Field, p.Migration, p.Parked}
	i, ok := c.at[k]
	if !ok && len(c.at) >= maxProblems {
		k.field, k.migration, p.Field, p.Migration = "", "", "", ""
		i, ok = c.at[k]
	}
	if !ok {
		i = len(c.report.Problems)
		c.at[k] = i
		if err != nil {
			p.Detail = err.Error()
		}
		c.report.Problems = append(c.report.Problems, p)
	}
	if c.has[k] {
		return // in another slot of the same player
	}
	c.has[k] = true
	at := &c.report.Problems[i]
	at.Count++
	if len(at.Examples) < c.Examples {
		at.Examples = append(at.Examples, key.ID)
	}
}
