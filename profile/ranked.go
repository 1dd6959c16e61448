package profile

import (
	"context"
	"errors"
	"fmt"

	"github.com/holdfast-games/holdfast/session"
	"github.com/holdfast-games/holdfast/store"
)

// ranking is what a field was declared to feed.
type ranking struct {
	name   string
	lowest bool
}

// Ranked has an Int feed the ranking of a name (1 to store.MaxName bytes): all
// profiles of the schema's kind that have a value stored stand in it, the highest
// first, under their ids; see Server.Ranking. A profile's row moves in the commit that
// saves the value, whoever makes that: an autosave, a release, another server after a
// crash, a trade. So ranking and profile never disagree on disk, and what is in memory
// only is in neither. A profile of which the value was never set has no row. A Lazy
// field may feed a ranking too.
//
// A ranking that is declared for players who are there already gets a row for each
// as he is opened, and for all of them by Server.RebuildRankings. So does one that is
// declared no longer lose them. Every field feeds one ranking, and a schema at most
// session.MaxRanked.
func Ranked(name string) FieldOption {
	return func(s *settings) { s.ranked = &ranking{name: name} }
}

// RankedLowest is Ranked for what is better the lower it is, such as a time: the
// lowest is first.
func RankedLowest(name string) FieldOption {
	return func(s *settings) { s.ranked = &ranking{name: name, lowest: true} }
}

// rankedBy returns what fields feed, never nil, and the mistakes in it.
func rankedBy(fields []Field) ([]session.Ranked, error) {
	spec, by := []session.Ranked{}, make(map[string]string)
	var errs []error
	for _, f := range fields {
		r := f.common().settings.ranked
		if r == nil {
			continue
		}
		if err := store.CheckRankingName(r.name); err != nil {
			errs = append(errs, fmt.Errorf("field %q: %w", f.Name(), err))
		}
		if other, ok := by[r.name]; ok {
			errs = append(errs, fmt.Errorf("fields %q and %q feed one ranking, %q", other, f.Name(), r.name))
			continue
		}
		by[r.name] = f.Name()
		spec = append(spec, session.Ranked{Ranking: r.name, Field: f.Name(), LowestFirst: r.lowest})
	}
	if len(spec) > session.MaxRanked {
		errs = append(errs, fmt.Errorf("fields feed %d rankings, at most %d", len(spec), session.MaxRanked))
	}
	return spec, errors.Join(errs...)
}

// Ranking returns the ranking that a field of the schema feeds: who is first, who
// stands around a player, who is at which rank. It is for reading. A player who plays
// stands in it with what was last saved. A name that no field feeds is ErrSchema.
// It does no I/O.
func (srv *Server) Ranking(name string) (*store.Ranking, error) {
	for _, r := range srv.schema.ranked {
		if r.Ranking == name {
			return srv.ss.Reader().Ranking(srv.schema.kind, name, &store.RankingOptions{LowestFirst: r.LowestFirst})
		}
	}
	return nil, fmt.Errorf("%w %q: no field feeds a ranking %q", ErrSchema, srv.schema.kind, name)
}

// RebuildRankings gives every stored profile the rows that the schema's fields
// call for, and takes away those that they no longer do, as session.Server.Rerank
// says. It is for once, after a schema has changed: profiles that are opened see to
// theirs by themselves. It may be interrupted and repeated at any time, and blocks
// until it is done or ctx ends.
func (srv *Server) RebuildRankings(ctx context.Context, o *session.RerankOptions) (session.Reranked, error) {
	return srv.ss.Rerank(ctx, srv.schema.kind, func([]session.Ranked) []session.Ranked { return srv.schema.ranked }, o)
}
