package store

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/holdfast-games/holdfast/driver"
)

// MaxMember is the longest name of a member of a ranking, in bytes.
const MaxMember = 200

// The rows of a ranking lie in the order of their scores, since a key has the
// score in it, and members of one score in the order of their names' bytes:
//
//	~rank/<order>/<name>/<score>/<member>            of a ranking that is set
//	~score/<order>/<name>/<member>                   what its members' scores are
//	~ranked/<kind>/<order>/<name>/<score>/<member>   of a ranking that is fed
//
// A row has no value. The order is "high" or "low", after what comes first.

// scoreLen is the length of a score in a row's key.
const scoreLen = 16

// orderPart is the part of a key that says which scores come first.
func orderPart(lowest bool) string {
	if lowest {
		return "low"
	}
	return "high"
}

// encodeScore returns a score as text of scoreLen bytes whose order is that of
// the rows: the sign is flipped, so that negative numbers sort before positive
// ones, and all bits if the highest comes first.
func encodeScore(score int64, lowest bool) string {
	u := uint64(score) ^ 1<<63
	if !lowest {
		u = ^u
	}
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], u)
	return hex.EncodeToString(b[:])
}

// decodeScore is the inverse of encodeScore.
func decodeScore(text string, lowest bool) (int64, error) {
	var b [8]byte
	if n, err := hex.Decode(b[:], []byte(text)); err != nil || n != len(b) {
		return 0, fmt.Errorf("%w: %q is no score", driver.ErrCorrupt, text)
	}
	u := binary.BigEndian.Uint64(b[:])
	if !lowest {
		u = ^u
	}
	return int64(u ^ 1<<63), nil
}

// rowsOf returns what the keys of a ranking's rows begin with.
func rowsOf(kind, name string, lowest bool) string {
	if kind == "" {
		return SystemKey("rank", orderPart(lowest), name) + "/"
	}
	return SystemKey("ranked", kind, orderPart(lowest), name) + "/"
}

// RankedRow returns the database key of the row that a member has in the ranking
// that is fed by members of a kind. It is for who feeds it: the row, whose value
// is empty, must be written and deleted in the commits that change the score.
func RankedRow(kind, name string, lowest bool, score int64, member string) string {
	return rowsOf(kind, name, lowest) + encodeScore(score, lowest) + "/" + JoinKey(member)
}

// CheckRankingName returns an error that matches ErrName unless a ranking can
// have the name: 1 to MaxName bytes of UTF-8 without NUL.
func CheckRankingName(name string) error { return checkName("ranking name", name) }

// checkMember refuses what cannot be a member.
func checkMember(member string) error {
	switch {
	case member == "" || len(member) > MaxMember:
		return fmt.Errorf("%w: member of %d bytes, 1 to %d allowed: %.60q", ErrName, len(member), MaxMember, member)
	case !utf8.ValidString(member):
		return fmt.Errorf("%w: member %q is not valid UTF-8", ErrName, member)
	case strings.IndexByte(member, 0) >= 0:
		return fmt.Errorf("%w: member %q has a NUL byte", ErrName, member)
	}
	return nil
}

// row returns the key of a member's row.
func (r *Ranking) row(score int64, member string) string {
	return r.rows + encodeScore(score, r.lowest) + "/" + JoinKey(member)
}

// standing reads a row's key.
func (r *Ranking) standing(key string) (Standing, error) {
	text, ok := strings.CutPrefix(key, r.rows)
	if !ok || len(text) < scoreLen+2 || text[scoreLen] != '/' {
		return Standing{}, fmt.Errorf("%w: row %q", driver.ErrCorrupt, key)
	}
	score, err := decodeScore(text[:scoreLen], r.lowest)
	if err != nil {
		return Standing{}, err
	}
	member, err := unescape(text[scoreLen+1:])
	return Standing{Member: member, Score: score}, err
}
