package main

import (
	"context"
	"fmt"
	"os"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/internal/console"
)

// backupCmd copies the database.
type backupCmd struct {
	Dest string `arg:"" help:"The file to make. It must not exist."`
	timeoutFlag
}

// Help is shown below the command's summary.
func (*backupCmd) Help() string {
	return "The copy is made by the engine's own means: it is the database as it was at one moment, while servers go on using it. " +
		"The file gets its name when it is whole and on disk."
}

// Run runs the command.
func (c *backupCmd) Run(ctx context.Context, e *env) error {
	db, err := e.openDatabase(ctx, reading, c.timeoutFlag)
	if err != nil {
		return err
	}
	defer db.close()
	b, ok := db.drv.(driver.Backuper)
	if !ok {
		return fmt.Errorf("back up %q: the engine %s is backed up by its own means (docs/operations.md), not by this command; holdfast export writes its players as JSON", e.db, db.drv.Info().Name)
	}
	bar := console.NewProgress(e.err, "backup", 0, console.Bytes)
	err = b.Backup(db.ctx, c.Dest, bar.Set)
	bar.Close()
	if err != nil {
		return err
	}
	info, err := os.Stat(c.Dest)
	if err != nil {
		return fmt.Errorf("look at the backup: %w", err)
	}
	_, err = fmt.Fprintf(e.out, "Backed up %s to %s.\n", console.Size(info.Size()), c.Dest)
	return err
}
