package main

import (
	"net/url"
	"strings"
	"testing"

	"github.com/holdfast-games/holdfast/internal/pgtest"
)

func TestMigrate(t *testing.T) {
	t.Run("StatusShowsWhatIsMissingAndChangesNothing", func(t *testing.T) {
		w := newWorld(t)
		w.url = pgtest.URL(t)
		for range 2 {
			out := w.ok("migrate", "--status")
			if n := strings.Count(out, "missing"); n != 3 {
				t.Errorf("migrate --status shows %d migrations missing, want 3:\n%s", n, out)
			}
		}
	})
	t.Run("MakesTheTables", func(t *testing.T) {
		w := newWorld(t)
		w.url = pgtest.URL(t)
		for _, args := range [][]string{{"migrate"}, {"migrate"}, {"migrate", "--status"}} {
			out := w.ok(args...)
			if strings.Contains(out, "missing") || !strings.Contains(out, "tables") || !strings.Contains(out, "VERSION") {
				t.Errorf("%q shows\n%s\nwant every migration applied", args, out)
			}
		}
		if out := w.ok("migrate", "--status", "--json"); strings.Count(out, `"applied":"`) != 3 {
			t.Errorf("migrate --status --json = %s, want three that are applied", out)
		}
		w.ok("list")
	})
	t.Run("OtherEnginesNeedNone", func(t *testing.T) {
		w := newWorld(t)
		w.url = "mem:"
		w.run("migrate").is(exitUsage, "PostgreSQL")
	})
	t.Run("ATimeOutMustBePositive", func(t *testing.T) {
		w := newWorld(t)
		w.url = "postgres://localhost/x"
		w.run("migrate", "--timeout", "0s").is(exitUsage, "--timeout")
	})
}

func TestPostgresEngine(t *testing.T) {
	t.Run("WhatReadsOrEditsMakesNoTables", func(t *testing.T) {
		w := newWorld(t)
		w.url = pgtest.URL(t)
		w.run("list").is(exitNotFound, "no such database")
		w.run("set", "player/1", "coins", "5").is(exitNotFound, "no such database")
		if out := w.ok("migrate", "--status"); strings.Count(out, "missing") != 3 {
			t.Errorf("tables were made:\n%s", out)
		}
	})
	t.Run("BothSchemesWork", func(t *testing.T) {
		w := newWorld(t)
		text := pgtest.URL(t)
		for _, scheme := range []string{"postgres", "postgresql"} {
			u, err := url.Parse(text)
			if err != nil {
				t.Fatal(err)
			}
			u.Scheme = scheme
			w.url = u.String()
			w.ok("migrate")
			w.ok("list")
		}
	})
	t.Run("NoErrorTellsThePassword", func(t *testing.T) {
		w := newWorld(t)
		for text, code := range map[string]int{
			"postgres://u:hunter2@localhost:1/x":                    exitError,
			"postgres://u:hunter2%zz@localhost/x":                   exitUsage,
			"postgres://u:hunter2@localhost:port/x":                 exitUsage,
			"postgres://u:hunter2@localhost/x?connections=0":        exitUsage,
			"postgres://u:hunter2\x7f@localhost/x":                  exitUsage,
			"postgre://u:hunter2@localhost/x":                       exitUsage,
			"postgres://u:hunter2/with/slashes@localhost:x/game":    exitUsage,
			"postgres://u:hunter2@localhost/x?sslmode=hunter2&a=%z": exitUsage,
		} {
			w.url = text
			for _, args := range [][]string{{"list"}, {"migrate"}} {
				r := w.run(args...).is(code)
				if strings.Contains(r.out+r.err, "hunter2") {
					t.Errorf("%q of %q tells the password: %s%s", args, text, r.out, r.err)
				}
			}
		}
	})
	t.Run("AnUnknownDatabaseIsNotFound", func(t *testing.T) {
		w := newWorld(t)
		u, err := url.Parse(pgtest.URL(t))
		if err != nil {
			t.Fatal(err)
		}
		u.Path = "/elsewhere"
		w.url = u.String()
		w.run("list").is(exitNotFound, "elsewhere")
	})
}
