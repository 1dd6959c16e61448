package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/holdfast-games/holdfast/archive"
	"github.com/holdfast-games/holdfast/internal/console"
)

// archiveCmd writes everything of one player into one file.
type archiveCmd struct {
	Key keyArg `arg:"" help:"The player, as kind/id: player/42."`
	Out string `short:"o" required:"" placeholder:"FILE" help:"The archive, a ZIP file that does not exist yet."`
	jsonFlag
	timeoutFlag
}

// Help is shown below the command's summary.
func (*archiveCmd) Help() string {
	return "For a player who asks what is kept of him: data, versions, purchases, messages and every other entry that is his, as JSON, with a README. " +
		"He may be playing. What cannot be decoded is included as it is stored, with a note. " +
		"For the documents of many players there is holdfast export."
}

// archiveJSON says what went into an archive, with --json.
type archiveJSON struct {
	Key         string   `json:"key"`
	File        string   `json:"file"`
	Document    bool     `json:"document"`
	Versions    int      `json:"versions"`
	Purchases   int      `json:"purchases"`
	Mail        int      `json:"mail"`
	DeadLetters int      `json:"dead_letters"`
	Entries     int      `json:"entries"`
	Tagged      int      `json:"tagged"`
	Notes       []string `json:"notes"`
}

// Run runs the command.
func (c *archiveCmd) Run(ctx context.Context, e *env) error {
	db, err := e.openDatabase(ctx, reading, c.timeoutFlag)
	if err != nil {
		return err
	}
	defer db.close()
	sum, err := c.write(db)
	if err != nil {
		return db.why(err)
	}
	return c.report(e, &sum)
}

// write writes the file, which gets its name when it is whole.
func (c *archiveCmd) write(db *database) (sum archive.Summary, err error) {
	if _, err := os.Lstat(c.Out); err == nil {
		return sum, fmt.Errorf("archive to %q: %w", c.Out, fs.ErrExist)
	}
	f, err := os.CreateTemp(filepath.Dir(c.Out), filepath.Base(c.Out)+".*.partial")
	if err != nil {
		return sum, fmt.Errorf("archive to %q: %w", c.Out, err)
	}
	defer os.Remove(f.Name()) // under its final name it stays
	if sum, err = archive.Write(db.ctx, db.DB, c.Key.Key, f); err != nil {
		return sum, errors.Join(err, f.Close())
	}
	if err = errors.Join(f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), c.Out)
	}
	if err != nil {
		return sum, fmt.Errorf("archive to %q: %w", c.Out, err)
	}
	return sum, nil
}

func (c *archiveCmd) report(e *env, sum *archive.Summary) error {
	if c.JSON {
		return writeJSON(e.out, archiveJSON{
			sum.Key.String(), c.Out, sum.Document, sum.Versions, sum.Purchases, sum.Messages, sum.Dead, sum.Entries, sum.Tagged,
			append([]string{}, sum.Notes...),
		})
	}
	var row []string
	for _, n := range []int{sum.Versions, sum.Purchases, sum.Messages, sum.Dead, sum.Entries, sum.Tagged} {
		row = append(row, strconv.Itoa(n))
	}
	notes := table{header: []string{"NOTE"}}
	for _, n := range sum.Notes {
		notes.rows = append(notes.rows, []string{cutText(n)})
	}
	err := writeTables(e, table{[]string{"VERSIONS", "PURCHASES", "MAIL", "DEAD LETTERS", "ENTRIES", "TAGGED"}, [][]string{row}}, notes)
	fmt.Fprintln(e.err, console.Clean(fmt.Sprintf("Everything of %v is in %s.", sum.Key, c.Out)))
	return err
}
