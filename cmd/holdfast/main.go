// Command holdfast looks after a Holdfast database: it shows, edits, imports,
// exports and backs up the players in it, beside the game servers that use it.
//
// Commands that read take no lease and no lock, and change nothing. Commands
// that write take a lease of their own and keep the session locks: a player who
// is playing is never changed behind the back of the server that holds him.
package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"unicode/utf8"

	"github.com/alecthomas/kong"

	"github.com/holdfast-games/holdfast/internal/console"
	"github.com/holdfast-games/holdfast/store"
)

// cli is the command line: one field for each command, whose type has a method
// Run and a file of its own.
type cli struct {
	DB      string `name:"db" env:"HOLDFAST_DB" placeholder:"URL" help:"The database: ${engines}."`
	Verbose bool   `short:"v" help:"Write what happens underneath to standard error."`

	Get      getCmd      `cmd:"" help:"Print a player's data."`
	List     listCmd     `cmd:"" help:"List the players."`
	Versions versionsCmd `cmd:"" help:"List the versions of a player that can be read."`
	Diff     diffCmd     `cmd:"" help:"Compare two versions of a player, field by field."`
	Locks    locksCmd    `cmd:"" help:"Show the leases of servers, and the players that they hold."`
	Receipts receiptsCmd `cmd:"" help:"Show players' purchases; release or refund one."`
	Mail     mailCmd     `cmd:"" help:"Show players' mail and dead letters; send mail."`
	Grant    grantCmd    `cmd:"" help:"Show what is given to every player once; make or cancel it."`
	Slots    slotsCmd    `cmd:"" help:"Show players' save slots; switch, rename, delete or undelete one."`
	Rank     rankCmd     `cmd:"" help:"Show rankings; give players' fields a place in them."`
	Find     findCmd     `cmd:"" help:"List the values of named stores that are tagged with a user."`
	Feed     feedCmd     `cmd:"" help:"Tell what servers change, as it happens."`
	Export   exportCmd   `cmd:"" help:"Write players as JSON."`
	Archive  archiveCmd  `cmd:"" help:"Write everything of one player into one file."`
	Backup   backupCmd   `cmd:"" help:"Copy the database while it is in use."`
	Copy     copyCmd     `cmd:"" help:"Copy a whole database into another one, of any engine."`
	Set      setCmd      `cmd:"" help:"Change or delete fields of a player, or elements of them."`
	Restore  restoreCmd  `cmd:"" help:"Give a player, or all of them, the data of an older version."`
	Unlock   unlockCmd   `cmd:"" help:"Settle and release a player whose server is dead, or take him from a living one."`
	Erase    eraseCmd    `cmd:"" help:"Erase players for ever, or show that nothing is left of them."`
	Audit    auditCmd    `cmd:"" help:"Read the audit log; find items that stand twice."`
	Migrate  migrateCmd  `cmd:"" help:"Bring the tables of a PostgreSQL database up to date."`
	Schema   schemaCmd   `cmd:"" help:"Check the players against a schema before a rollout."`
	Import   importCmd   `cmd:"" help:"Read players from JSON."`
	Demo     demoCmd     `cmd:"" help:"Show with real processes what Holdfast promises."`
	Bench    benchCmd    `cmd:"" help:"Measure what this machine and a database do."`

	DemoServer demoServerCmd `cmd:"" hidden:"" name:"demo-server" help:"Be a server of holdfast demo."`

	DemoWebServer demoWebServerCmd `cmd:"" hidden:"" name:"demo-web-server" help:"Be a server of holdfast demo --web."`
}

// env is what a command runs with.
type env struct {
	in      io.Reader
	out     io.Writer // data and results
	err     io.Writer // everything else
	log     *slog.Logger
	asks    bool   // a person can be asked, and answers by in
	db      string // URL of the database, as given
	engines []engine
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	e := &env{in: os.Stdin, out: os.Stdout, err: os.Stderr, asks: console.IsTerminal(os.Stdin), engines: engines}
	code := e.run(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}

// run runs one command line and returns its exit code.
func (e *env) run(ctx context.Context, args []string) int {
	var c cli
	exited, code := false, 0
	for _, a := range args {
		// The parser would replace what is no text, and find another player.
		if !utf8.ValidString(a) {
			return e.fail(usageError{fmt.Errorf("argument %q is not valid UTF-8", a)})
		}
	}
	parser, err := kong.New(&c,
		kong.Name("holdfast"),
		kong.Description("Looks after a Holdfast database: the players' data, their versions and their locks."),
		kong.Vars{"engines": engineForms(e.engines), "maxStandings": fmt.Sprint(store.MaxStandings)},
		kong.Writers(e.out, e.err),
		kong.Exit(func(n int) { exited, code = true, n }),
		kong.Help(printHelp),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(e),
	)
	if err != nil {
		return e.fail(err)
	}
	parsed, err := parser.Parse(signedNumbers(args))
	switch {
	case exited: // it was asked for help, and has printed it
		return code
	case err != nil:
		return e.fail(usageError{fmt.Errorf("%w; holdfast --help tells more", err)})
	}
	e.db, e.log = c.DB, slog.New(slog.DiscardHandler)
	if c.Verbose {
		e.log = slog.New(slog.NewTextHandler(e.err, nil))
	}
	if err := parsed.Run(); err != nil {
		return e.fail(err)
	}
	return exitOK
}

// signedNumbers lets a negative number be a value on the command line. No flag
// looks like one, and a leading space keeps it from being taken for one; JSON
// knows no difference.
func signedNumbers(args []string) []string {
	fixed := make([]string, len(args))
	for i, a := range args {
		if fixed[i] = a; len(a) > 1 && a[0] == '-' && '0' <= a[1] && a[1] <= '9' {
			fixed[i] = " " + a
		}
	}
	return fixed
}

// printHelp prints kong's help and the exit codes below it.
func printHelp(o kong.HelpOptions, ctx *kong.Context) error {
	if err := kong.DefaultHelpPrinter(o, ctx); err != nil {
		return err
	}
	_, err := fmt.Fprint(ctx.Stdout, exitCodes)
	return err
}
