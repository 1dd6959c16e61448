package web

import (
	"context"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/replica"
	"github.com/holdfast-games/holdfast/session"
	"github.com/holdfast-games/holdfast/store"
)

// logins say who a hero's player is. A page is given an id and a key, which it keeps,
// and exchanges these for a token when it connects to a game server. The secret behind
// the keys is in the database with the heroes, so that they can be played again.
type logins struct {
	secret []byte
	signer ed25519.PrivateKey
}

// secretStore and secretKey say where the secret is.
const secretStore, secretKey = "holdfast-game", "logins"

// newLogins reads the secret from the database, or makes it.
func newLogins(ctx context.Context, drv driver.DB) (*logins, error) {
	_, signer, err := ed25519.GenerateKey(nil)
	if err != nil {
		return nil, err
	}
	l := &logins{signer: signer}
	db, err := store.New(drv, nil)
	if err != nil {
		return nil, errors.Join(err, drv.Close())
	}
	return l, errors.Join(l.findSecret(ctx, db), db.Close(ctx))
}

func (l *logins) findSecret(ctx context.Context, db *store.DB) error {
	game, err := db.Store(secretStore)
	if err != nil {
		return err
	}
	e, err := game.Update(ctx, secretKey, func(e store.Entry) ([]byte, error) {
		if e.Found() {
			return nil, store.ErrSkip
		}
		return []byte(`"` + rand.Text() + rand.Text() + `"`), nil
	}, nil)
	l.secret = e.Value
	return err
}

// key is what proves that a page may have a hero.
func (l *logins) key(id string) string {
	m := hmac.New(sha256.New, l.secret)
	m.Write([]byte(id))
	return base64.RawURLEncoding.EncodeToString(m.Sum(nil))
}

// login names a hero and proves that the page may have him.
type login struct {
	ID    string `json:"id"`
	Key   string `json:"key"`
	Token string `json:"token,omitempty"`
}

func (l *logins) holds(g login) bool {
	return hmac.Equal([]byte(g.Key), []byte(l.key(g.ID)))
}

// tokenLife is long enough to connect.
const tokenLife = 2 * time.Minute

// newHero answers with a new hero's login. Nothing is stored of him before he plays.
func (l *logins) newHero(w http.ResponseWriter, _ *http.Request) {
	id := strings.ToLower(rand.Text()[:10])
	writeJSON(w, login{ID: id, Key: l.key(id)})
}

// token answers a login with a token for the game servers.
func (l *logins) token(w http.ResponseWriter, r *http.Request) {
	var g login
	if !readJSON(w, r, &g) {
		return
	}
	if !l.holds(g) {
		http.Error(w, "This key is not that hero's.", http.StatusForbidden)
		return
	}
	token, err := replica.IssueToken(l.signer, session.Key{Kind: Kind, ID: g.ID}, tokenLife)
	if err != nil {
		http.Error(w, "There can be no such hero.", http.StatusBadRequest)
		return
	}
	writeJSON(w, login{ID: g.ID, Token: token})
}

const maxRequest = 4096 // bytes of JSON

// readJSON reads a request. If it is none, it is answered, and the result is false.
func readJSON(w http.ResponseWriter, r *http.Request, v any) bool {
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRequest))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		http.Error(w, "The request is none of this game's.", http.StatusBadRequest)
		return false
	}
	return true
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	// Who does not read the answer does not get it.
	_ = json.NewEncoder(w).Encode(v)
}
