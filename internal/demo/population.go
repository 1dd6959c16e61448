package demo

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-games/holdfast/document"
)

// player is one of those who play: what he has, and how he behaves.
type player struct {
	id       string
	imported *document.Document // what he had before, which must come back equal
	text     []byte             // the same, encoded
	items    []string           // that he has at first
	visits   visits
	think    time.Duration // from one act to the next, on average
}

// itemsEach is how many items each player has at first.
const itemsEach = 3

// population returns all players: those of the documents and of the trace, and
// others until there are as many as asked for.
func population(o *Options) ([]*player, error) {
	var docs []named
	var traced map[string]*tracedVisits
	var err error
	if o.Documents != "" {
		if docs, err = readDocuments(o.Documents); err != nil {
			return nil, err
		}
	}
	if o.Trace != "" {
		if traced, err = readTrace(o.Trace, o.Play); err != nil {
			return nil, err
		}
	}
	ids, sources := match(docs, slices.Sorted(maps.Keys(traced)), o.Players)
	if len(ids) > MaxPlayers {
		return nil, fmt.Errorf("%w: %d players in documents and trace, at most %d", ErrOption, len(ids), MaxPlayers)
	}
	players := make([]*player, len(ids))
	for i, id := range ids {
		if players[i], err = newPlayer(o, id, i, sources[i], traced); err != nil {
			return nil, err
		}
	}
	pace(players)
	return players, nil
}

// source is where a player comes from.
type source struct {
	doc   *document.Document // nil: made by chance
	trace string             // his name there; empty: times are made by chance
}

// match gives each player of the trace the document of his name, or of a name
// that ends in it, and fills up with others.
func match(docs []named, traced []string, atLeast int) (ids []string, sources []source) {
	taken := make(map[string]bool)
	for _, d := range docs {
		s := source{doc: d.doc}
		for _, name := range traced {
			if !taken[name] && (d.id == name || strings.HasSuffix(d.id, "-"+name)) {
				s.trace, taken[name] = name, true
				break
			}
		}
		ids, sources = append(ids, d.id), append(sources, s)
	}
	for _, name := range traced {
		if !taken[name] {
			ids, sources = append(ids, name), append(sources, source{trace: name})
		}
	}
	for i := 1; len(ids) < atLeast; i++ {
		if id := fmt.Sprintf("player-%03d", i); !slices.Contains(ids, id) {
			ids, sources = append(ids, id), append(sources, source{})
		}
	}
	return ids, sources
}

func newPlayer(o *Options, id string, i int, from source, traced map[string]*tracedVisits) (*player, error) {
	p := &player{id: id, imported: from.doc}
	rng := newRand(o.Seed, fmt.Sprintf("player %d", i))
	if p.imported == nil {
		var err error
		if p.imported, err = makeDocument(rng, int(documentBytes.sample(rng))); err != nil {
			return nil, err
		}
	}
	p.text = p.imported.AppendJSON(nil)
	for n := range itemsEach {
		p.items = append(p.items, fmt.Sprintf("item-%05d", i*itemsEach+n+1))
	}
	if from.trace != "" {
		p.visits = traced[from.trace]
	} else {
		p.visits = &madeVisits{rng: rng}
	}
	p.think = thinkTime(playTimeSeconds.sample(rng))
	return p, nil
}

// thinkTime is shorter for those who play much: few players make most of the
// load.
func thinkTime(playTime float64) time.Duration {
	perSecond := 4 * math.Pow(playTime/playTimeSeconds.at(0.5), 0.3)
	return time.Duration(float64(time.Second) / min(max(perSecond, 1), 40))
}

// mostPerSecond is how many acts all players do in a second at most. It is far
// below what the database can do: the demo shows what is kept, not how fast.
const mostPerSecond = 400

// pace slows all players down alike if there are many.
func pace(players []*player) {
	total := 0.0
	for _, p := range players {
		total += 1 / p.think.Seconds()
	}
	if slower := total / mostPerSecond; slower > 1 {
		for _, p := range players {
			p.think = time.Duration(float64(p.think) * slower)
		}
	}
}
