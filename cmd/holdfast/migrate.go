package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/holdfast-games/holdfast/internal/console"
	"github.com/holdfast-games/holdfast/postgres"
)

// migrateCmd brings a database's tables up to date.
type migrateCmd struct {
	Status bool `help:"Show what was applied and what is missing, and change nothing."`
	jsonFlag
	timeoutFlag
}

// migrationJSON is what migrate writes of a migration with --json.
type migrationJSON struct {
	Version int64      `json:"version"`
	Name    string     `json:"name"`
	Applied *time.Time `json:"applied,omitzero"`
}

// Run runs the command.
func (c *migrateCmd) Run(ctx context.Context, e *env) error {
	if c.Timeout <= 0 {
		return usageError{fmt.Errorf("--timeout %v: give a time above zero", c.Timeout)}
	}
	scheme, _, _ := strings.Cut(e.db, ":")
	if scheme != "postgres" && scheme != "postgresql" {
		return usageError{fmt.Errorf("migrate is for PostgreSQL: give --db postgres://…; other engines need no migration")}
	}
	ctx, cancel := context.WithTimeoutCause(ctx, c.Timeout, fmt.Errorf("no answer for %v", c.Timeout))
	defer cancel()
	run := postgres.Migrate
	if c.Status {
		run = postgres.Migrations
	}
	list, err := run(ctx, e.db, nil)
	if err != nil {
		return postgresError(err)
	}
	return c.print(e, list)
}

func (c *migrateCmd) print(e *env, list []postgres.Migration) error {
	var rows [][]string
	for _, m := range list {
		if c.JSON {
			if err := writeJSON(e.out, migrationJSON{m.Version, m.Name, jsonTime(m.Applied)}); err != nil {
				return err
			}
			continue
		}
		applied := "missing"
		if !m.Applied.IsZero() {
			applied = console.Time(m.Applied)
		}
		rows = append(rows, []string{strconv.FormatInt(m.Version, 10), m.Name, applied})
	}
	if c.JSON {
		return nil
	}
	return console.Table(e.out, []string{"VERSION", "NAME", "APPLIED"}, rows)
}
