package sim

import (
	"fmt"
	"maps"
	"strconv"
	"time"

	"github.com/holdfast-games/holdfast/session"
)

// update is one change of one player, as a caller made it in memory. The
// updates of a player form a tree: each stands on the one that its maker had
// last, and where an update was lost, the next owner's stands beside it.
type update struct {
	id      int
	p       *player
	parent  *update // nil: the player's origin, without data
	depth   int
	content content           // of the whole document
	text    string            // content.String
	group   *group            // nil: it was made alone
	gems    int               // that it brought into the world
	never   bool              // it is of a trade that, as somebody was told, never happens
	order   *restore          // it is a restore
	binding bool              // it is of a trade or a purchase: no restore undoes it
	had     map[string]string // what was received up to it; nil: its content tells
	erased  int               // it was durable, and gone with this erasure of its player; 0: it is not
}

// group is the updates of several players that were made as one.
type group struct {
	id    int
	parts []*update
}

// player is what the checker knows of one key.
type player struct {
	key    session.Key
	root   string // database key
	origin *update
	// durable is the last update that no crash may take back: it has been in
	// the journal or in the root.
	durable   *update
	stored    stored
	writes    int         // of the root
	gifts     []*gift     // to him and from him
	awards    []string    // every one that was ever made
	purchases []*purchase // that were delivered for him
	byID      []*byID
	counter   int64         // of the changes by id that are on disk
	since     time.Time     // his root exists
	coming    []*update     // of trades, that may yet come into a session's memory
	versions  []rootVersion // of the root, the last ones
	restores  []*restore    // that were asked for
	restored  int           // how often he was, in memory
	erasure   erasure
}

// stored is a player's root as it is in the database.
type stored struct {
	exists   bool
	lease    string // of the lock; empty: unlocked
	session  string
	position uint64
	head     *update
	lazy     int
	counter  int64
	played   int64 // ms
}

const playerKind = "player"

func newPlayer(n int) *player {
	p := &player{key: session.Key{Kind: playerKind, ID: fmt.Sprintf("p%02d", n)}}
	p.root = p.key.String()
	c := content{fields: map[string]string{}, objects: map[string]map[string]string{}}
	p.origin = &update{p: p, content: c, text: c.String()}
	p.durable = p.origin
	return p
}

// next returns the update that changes make on top of u.
func (u *update) next(id int, changes []change) *update {
	c := u.content.clone()
	v := &update{id: id, p: u.p, parent: u, depth: u.depth + 1, had: maps.Clone(u.had)}
	for _, ch := range changes {
		ch.model(&c)
		v.receives(ch)
	}
	c.fields[headField] = strconv.Itoa(id)
	v.content, v.text = c, c.String()
	return v
}

// within reports whether u is v, or one of those that v stands on.
func (u *update) within(v *update) bool {
	for v != nil && v.depth > u.depth {
		v = v.parent
	}
	return u == v
}

func (u *update) String() string {
	if u == nil {
		return "nothing known"
	}
	return fmt.Sprintf("%s/%d", u.p.key.ID, u.id)
}
