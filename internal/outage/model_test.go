package outage_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"strconv"

	"github.com/holdfast-games/holdfast/session"
)

// update is one change of one player. The updates of a player form a tree: each
// stands on the one that its maker had last.
type update struct {
	id      int // 0: the player's origin
	depth   int
	player  *player
	parent  *update
	content map[string]int // of the whole document
	group   *group         // nil: it was made alone
}

// group is the updates of several players that were made as one.
type group struct{ parts []*update }

// player is what the checker knows of one key.
type player struct {
	key    session.Key
	origin *update
	kept   *update // the last update that was acknowledged, or seen
}

// The fields of a document. Each update sets the first two, and one of the slots.
const (
	headField  = "head"  // the last update's id
	depthField = "depth" // how many updates it stands on
	slots      = 5
)

func slot(id int) string { return "slot" + strconv.Itoa(id%slots) }

func newPlayer(id string) *player {
	p := &player{key: session.Key{Kind: "player", ID: id}}
	p.origin = &update{player: p}
	p.kept = p.origin
	return p
}

// changes returns what an update sets.
func (u *update) changes() map[string]int {
	return map[string]int{headField: u.id, depthField: u.depth, slot(u.id): u.id}
}

// next returns the update that stands on u under a new id.
func (u *update) next(id int) *update {
	n := &update{id: id, depth: u.depth + 1, player: u.player, parent: u, content: maps.Clone(u.content)}
	if n.content == nil {
		n.content = make(map[string]int)
	}
	maps.Copy(n.content, n.changes())
	return n
}

// within reports whether u is v, or one of those that v stands on.
func (u *update) within(v *update) bool {
	for v != nil && v.depth > u.depth {
		v = v.parent
	}
	return u == v
}

func (u *update) String() string {
	return fmt.Sprintf("%s/%d (depth %d)", u.player.key.ID, u.id, u.depth)
}

// parse reads a document.
func parse(text []byte) (map[string]int, error) {
	content := make(map[string]int)
	if err := json.Unmarshal(text, &content); err != nil {
		return nil, fmt.Errorf("read document %.200q: %w", text, err)
	}
	return content, nil
}
