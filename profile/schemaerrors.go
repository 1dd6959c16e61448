package profile

import (
	"errors"
	"fmt"
	"time"

	"github.com/holdfast-games/holdfast/session"
)

var (
	// ErrMigration means that a profile could not be brought into the schema's
	// form. It comes as a *MigrationError. What is stored stays as it is.
	ErrMigration = errors.New("migration failed")
	// ErrNewerSchema means that a profile is in a form that this program does not
	// know: a newer one has migrated it. It comes as a *NewerSchemaError. What is
	// stored stays as it is.
	ErrNewerSchema = errors.New("profile was migrated by a newer program")
	// ErrImport means that the older store's data of a player could not be had
	// (Options.Import). It comes as an *ImportError. Nothing was stored, and the
	// next load asks again.
	ErrImport = errors.New("import failed")
	// ErrTooSlow means that a migration took longer than Options.MigrationTime.
	ErrTooSlow = errors.New("took too long")

	// errOutOfOrder is completed by the name of the later migration.
	errOutOfOrder = errors.New("is due, but stands before one that was applied and is not compatible")
	// errElsewhere is why nothing is migrated that another server has open.
	errElsewhere = errors.New("is due, and the profile is open on a server that does not know it")
	// errNoFunction is why a schema that was read from JSON cannot migrate.
	errNoFunction = errors.New("is due, and cannot be run by a schema that was read from a file")
)

// MigrationError says which migration failed for whom, and why. It matches
// ErrMigration and the reason.
type MigrationError struct {
	Key       session.Key // of the profile
	Migration string      // its name
	Err       error
}

func (e *MigrationError) Error() string {
	return fmt.Sprintf("%v: %v: migration %q: %v", e.Key, ErrMigration, e.Migration, e.Err)
}

// Is reports that the error is an ErrMigration.
func (e *MigrationError) Is(target error) bool { return target == ErrMigration }

// Unwrap returns the reason.
func (e *MigrationError) Unwrap() error { return e.Err }

// NewerSchemaError says by which migration a profile has become unreadable for
// this program. It matches ErrNewerSchema.
type NewerSchemaError struct {
	Key       session.Key // of the profile
	Migration string      // its name
	At        time.Time   // when it was applied
}

func (e *NewerSchemaError) Error() string {
	return fmt.Sprintf("%v: %v: this program does not know the migration %q of %s, which is not compatible",
		e.Key, ErrNewerSchema, e.Migration, e.At.Format(time.RFC3339))
}

// Is reports that the error is an ErrNewerSchema.
func (e *NewerSchemaError) Is(target error) bool { return target == ErrNewerSchema }

// ImportError says whose data could not be had from the older store, and why. It
// matches ErrImport and the reason.
type ImportError struct {
	Key session.Key // of the profile
	// Data says that the older store has given data that do not fit, so that
	// it would not help to ask again: Options.OnLoadError applies. Else asking
	// itself has failed, and Open returns the error.
	Data bool
	Err  error
}

func (e *ImportError) Error() string { return fmt.Sprintf("%v: %v: %v", e.Key, ErrImport, e.Err) }

// Is reports that the error is an ErrImport.
func (e *ImportError) Is(target error) bool { return target == ErrImport }

// Unwrap returns the reason.
func (e *ImportError) Unwrap() error { return e.Err }

// unusable reports whether an error of a load says that what is stored, or was
// imported, does not fit the schema.
func unusable(err error) bool {
	var imported *ImportError
	return errors.Is(err, ErrMigration) || errors.Is(err, ErrNewerSchema) ||
		errors.As(err, &imported) && imported.Data
}
