package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/internal/console"
	"github.com/holdfast-games/holdfast/session"
	"github.com/holdfast-games/holdfast/store"
)

// rankCmd shows rankings, and makes those that players' fields feed.
type rankCmd struct {
	Top     rankTopCmd     `cmd:"" help:"List who is first."`
	Around  rankAroundCmd  `cmd:"" help:"List who stands around a member."`
	Rank    rankRankCmd    `cmd:"" help:"Show at which rank a member stands."`
	Rebuild rankRebuildCmd `cmd:"" help:"Let a field of all players feed a ranking, or no longer."`
}

// rankingArg names a ranking on the command line: "wins", or "player/wins" if the
// players' fields feed it.
type rankingArg struct{ kind, name string }

// UnmarshalText implements encoding.TextUnmarshaler.
func (a *rankingArg) UnmarshalText(text []byte) error {
	parts, err := store.SplitKey(string(text))
	if err != nil {
		return err
	}
	if a.name = parts[len(parts)-1]; len(parts) > 1 {
		a.kind = parts[0]
		if err := (session.Key{Kind: a.kind, ID: "x"}).Check(); err != nil || len(parts) > 2 {
			return fmt.Errorf("%.60q is no ranking: give its name, or kind/name if fields feed it", text)
		}
	}
	return store.CheckRankingName(a.name)
}

// rankingFlags are part of every command that reads a ranking.
type rankingFlags struct {
	Ranking rankingArg `arg:"" name:"name" help:"The ranking: its name, or kind/name (player/wins) if a field feeds it."`
	Lowest  bool       `help:"It is one in which the lowest score is first."`
	jsonFlag
	timeoutFlag
}

// on calls fn with the ranking.
func (f *rankingFlags) on(ctx context.Context, e *env, fn func(context.Context, *store.Ranking) ([]store.Standing, error)) error {
	db, err := e.openDatabase(ctx, reading, f.timeoutFlag)
	if err != nil {
		return err
	}
	defer db.close()
	o := &store.RankingOptions{LowestFirst: f.Lowest}
	var r *store.Ranking
	if f.Ranking.kind == "" {
		r, err = db.Ranking(f.Ranking.name, o)
	} else {
		r, err = db.reader().Ranking(f.Ranking.kind, f.Ranking.name, o)
	}
	if err != nil {
		return err
	}
	list, err := fn(db.ctx, r)
	if err != nil {
		return db.why(err)
	}
	return f.write(e, list)
}

// standingJSON is what rank writes of a member with --json.
type standingJSON struct {
	Rank   int    `json:"rank"`
	Member string `json:"member"`
	Score  int64  `json:"score"`
	Exact  bool   `json:"exact"` // the rank was counted, not estimated
}

func (f *rankingFlags) write(e *env, list []store.Standing) error {
	var rows [][]string
	for _, st := range list {
		if f.JSON {
			if err := writeJSON(e.out, standingJSON{st.Rank, st.Member, st.Score, st.Exact}); err != nil {
				return err
			}
			continue
		}
		about := ""
		if !st.Exact {
			about = "about "
		}
		rows = append(rows, []string{fmt.Sprint(about, st.Rank), st.Member, fmt.Sprint(st.Score)})
	}
	if f.JSON {
		return nil
	}
	return console.Table(e.out, []string{"RANK", "MEMBER", "SCORE"}, rows)
}

// rankTopCmd lists the first.
type rankTopCmd struct {
	rankingFlags
	Limit int `short:"n" default:"10" placeholder:"N" help:"List so many (default 10, at most ${maxStandings})."`
}

// Run runs the command.
func (c *rankTopCmd) Run(ctx context.Context, e *env) error {
	if err := checkStandings(c.Limit); err != nil {
		return err
	}
	return c.on(ctx, e, func(ctx context.Context, r *store.Ranking) ([]store.Standing, error) { return r.Top(ctx, c.Limit) })
}

// rankAroundCmd lists who stands around a member.
type rankAroundCmd struct {
	rankingFlags
	Member string `arg:"" help:"The member: of a ranking that a field feeds, the player's id."`
	Limit  int    `short:"n" default:"5" placeholder:"N" help:"List so many before and after (default 5, at most ${maxStandings})."`
}

// Run runs the command.
func (c *rankAroundCmd) Run(ctx context.Context, e *env) error {
	if err := checkStandings(c.Limit); err != nil {
		return err
	}
	return c.on(ctx, e, func(ctx context.Context, r *store.Ranking) ([]store.Standing, error) {
		return r.Around(ctx, c.Member, c.Limit)
	})
}

func checkStandings(n int) error {
	if n < 1 || n > store.MaxStandings {
		return usageError{fmt.Errorf("--limit %d: give 1 to %d", n, store.MaxStandings)}
	}
	return nil
}

// rankRankCmd shows where a member stands.
type rankRankCmd struct {
	rankingFlags
	Member string `arg:"" help:"The member: of a ranking that a field feeds, the player's id."`
}

// Run runs the command.
func (c *rankRankCmd) Run(ctx context.Context, e *env) error {
	return c.on(ctx, e, func(ctx context.Context, r *store.Ranking) ([]store.Standing, error) {
		st, err := r.Rank(ctx, c.Member)
		return []store.Standing{st}, err
	})
}

// rankRebuildCmd lets a field feed a ranking for all who are stored.
type rankRebuildCmd struct {
	Ranking rankingArg `arg:"" name:"name" help:"The ranking, as kind/name (player/wins)."`
	Field   string     `xor:"how" required:"" placeholder:"FIELD" help:"The field that feeds it from now on."`
	Drop    bool       `xor:"how" required:"" help:"No field feeds it any more: take it from all players."`
	Lowest  bool       `help:"With --field: the lowest is first."`
	After   string     `placeholder:"ID" help:"Go on after this id."`
	jsonFlag
	limitFlags
	timeoutFlag
}

// Help is shown below the command's summary.
func (*rankRebuildCmd) Help() string {
	return "Servers whose schema says that a field is ranked see to the players that they open. This command gives a row to those who are away, " +
		"once, after a schema has changed. It may be interrupted and repeated at any time. A player who is held by a server of an older schema " +
		"is left alone and counted: he gets his row when a server of the new one opens him, or when this is run again. " +
		"What a server's schema says counts in the end: it undoes what is said here and not there."
}

// rebuiltJSON is what rank rebuild writes with --json.
type rebuiltJSON struct {
	Ranking string `json:"ranking"`
	Players int    `json:"players"`
	Changed int    `json:"changed"`
	Held    int    `json:"held"`
	Failed  int    `json:"failed"`
	Last    string `json:"last,omitzero"`
}

// Run runs the command.
func (c *rankRebuildCmd) Run(ctx context.Context, e *env) (err error) {
	if c.Ranking.kind == "" {
		return usageError{errors.New("give the ranking as kind/name: only one that a field feeds can be rebuilt")}
	}
	if err := document.Field(c.Field).Check(); err != nil && !c.Drop {
		return usageError{fmt.Errorf("--field: %w", err)}
	}
	db, err := e.openDatabase(ctx, editing, c.timeoutFlag)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.close()) }()
	srv, err := e.serve(db, "rank rebuild", c.limits())
	if err != nil {
		return err
	}
	sum, err := c.rebuild(ctx, e, db, srv)
	return errors.Join(err, c.report(e, sum, err), db.retire(srv))
}

// rebuild goes through all players. An interrupt ends it between two pages.
func (c *rankRebuildCmd) rebuild(ctx context.Context, e *env, db *database, srv *session.Server) (session.Reranked, error) {
	bar := console.NewProgress(e.err, "rank", -1, console.Things)
	defer bar.Close()
	work, cancel := context.WithCancelCause(db.ctx)
	defer cancel(nil)
	defer context.AfterFunc(ctx, func() { cancel(context.Cause(ctx)) })()
	sum, err := srv.Rerank(work, c.Ranking.kind, c.spec, &session.RerankOptions{
		After:    c.After,
		Progress: func(r session.Reranked) { bar.Set(int64(r.Roots), -1) },
	})
	return sum, db.why(err)
}

// spec is what shall feed a player's rankings, of which others stay as they are.
func (c *rankRebuildCmd) spec(now []session.Ranked) []session.Ranked {
	var spec []session.Ranked
	placed := c.Drop
	for _, r := range now {
		if r.Ranking != c.Ranking.name {
			spec = append(spec, r)
		} else if !placed {
			spec, placed = append(spec, c.ranked()), true
		}
	}
	if !placed {
		spec = append(spec, c.ranked())
	}
	return spec
}

func (c *rankRebuildCmd) ranked() session.Ranked {
	return session.Ranked{Ranking: c.Ranking.name, Field: c.Field, LowestFirst: c.Lowest}
}

// report says what was done, also when it was not all.
func (c *rankRebuildCmd) report(e *env, sum session.Reranked, failed error) error {
	name := store.JoinKey(c.Ranking.kind, c.Ranking.name)
	if c.JSON {
		return writeJSON(e.out, rebuiltJSON{name, sum.Roots, sum.Changed, sum.Held, sum.Failed, sum.Last})
	}
	var text strings.Builder
	fmt.Fprintf(&text, "%s: %d players looked at, %d changed.\n", name, sum.Roots, sum.Changed)
	if sum.Held > 0 {
		fmt.Fprintf(&text, "%d are held by servers that do not know of it; they get or lose their rows when they are opened next, or run this again.\n", sum.Held)
	}
	if failed != nil && sum.Last != "" {
		fmt.Fprintf(&text, "Go on with --after %s\n", quoted(sum.Last))
	}
	if _, err := fmt.Fprint(e.out, text.String()); err != nil {
		return err
	}
	if sum.Failed > 0 {
		return fmt.Errorf("%d players: %w; --verbose tells why", sum.Failed, errSome)
	}
	return nil
}
