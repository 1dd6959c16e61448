package receipt_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/holdfast-games/holdfast/internal/faulty"
	"github.com/holdfast-games/holdfast/receipt"
)

// honest is a verifier that takes a list of events, as JSON, for the truth.
type honest struct{}

func (honest) Verify(_ context.Context, p receipt.Proof) ([]receipt.Event, error) {
	if err := p.Check(); err != nil {
		return nil, err
	}
	switch {
	case bytes.HasPrefix(p.Body, []byte("forged")):
		return nil, fmt.Errorf("%w: wrong key", receipt.ErrUnverified)
	case bytes.HasPrefix(p.Body, []byte("down")):
		return nil, errors.New("the store does not answer")
	}
	events := []receipt.Event{}
	if err := json.Unmarshal(p.Body, &events); err != nil {
		return nil, fmt.Errorf("%w: %w", receipt.ErrMalformed, err)
	}
	for i := range events {
		events[i].Details = nil // which is null in JSON
	}
	return events, nil
}

func proof(events ...receipt.Event) receipt.Proof {
	body, err := json.Marshal(events)
	if err != nil {
		panic(err)
	}
	return receipt.Proof{Body: body}
}

func bought(id, player string) receipt.Event { return receipt.Event{Purchase: buy(id, player)} }

func refunded(id string) receipt.Event { return receipt.Event{Purchase: buy(id, ""), Refund: true} }

func TestDeliver(t *testing.T) {
	t.Run("GrantsAndRefundsWhatAProofSays", func(t *testing.T) {
		bubble(t, func(w *world) {
			h := w.server("a")
			h.load("alice")
			done, err := h.book.Deliver(w.ctx, honest{}, proof(bought("1", "alice"), bought("2", "alice"), refunded("2"), refunded("3")), "")
			if err != nil || len(done) != 4 {
				w.Fatalf("Deliver = %+v, %v, want four deliveries", done, err)
			}
			for i, want := range []receipt.State{receipt.Granted, receipt.Granted, receipt.Refunded, receipt.Refunded} {
				if done[i].Receipt.State != want || done[i].Err != nil {
					w.Errorf("delivery %d = %+v, want %s", i, done[i], want)
				}
			}
			h.has("alice", 10)
			if done, err := h.book.Deliver(w.ctx, honest{}, proof(), ""); err != nil || len(done) != 0 {
				w.Errorf("Deliver of a proof that says nothing = %+v, %v, want nothing", done, err)
			}
		})
	})
	t.Run("GivesToThePresenterWhatTheProofSaysIsNobodys", func(t *testing.T) {
		bubble(t, func(w *world) {
			w.known("bob")
			h := w.server("a")
			h.load("alice")
			if _, err := h.book.Deliver(w.ctx, honest{}, proof(bought("1", "")), ""); !errors.Is(err, receipt.ErrNoPlayer) {
				w.Errorf("Deliver of what is nobody's = %v, want ErrNoPlayer", err)
			}
			if _, err := h.book.Deliver(w.ctx, honest{}, proof(bought("1", "")), "alice"); err != nil {
				w.Errorf("Deliver for alice = %v, want none", err)
			}
			done, err := h.book.Deliver(w.ctx, honest{}, proof(bought("2", "bob"), bought("3", "alice")), "alice")
			if !errors.Is(err, receipt.ErrOtherPlayer) || !errors.Is(done[0].Err, receipt.ErrOtherPlayer) || done[1].Err != nil {
				w.Errorf("Deliver of bob's and alice's for alice = %+v, %v, want ErrOtherPlayer for the first", done, err)
			}
			h.has("alice", 20)
			h.has("bob", 0)
		})
	})
	t.Run("PassesTheVerifiersErrorOn", func(t *testing.T) {
		bubble(t, func(w *world) {
			h := w.server("a")
			for body, want := range map[string]error{
				"forged": receipt.ErrUnverified, "[": receipt.ErrMalformed, "": receipt.ErrMalformed,
				strings.Repeat(" ", receipt.MaxProof+1): receipt.ErrTooLarge,
			} {
				if done, err := h.book.Deliver(w.ctx, honest{}, receipt.Proof{Body: []byte(body)}, ""); !errors.Is(err, want) || done != nil {
					w.Errorf("Deliver of %.10q = %+v, %v, want %v", body, done, err, want)
				}
			}
		})
	})
}

// post posts a body to a handler, and returns the answer.
func post(h http.Handler, method, body string) *httptest.ResponseRecorder {
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequest(method, "/webhook", strings.NewReader(body)))
	return rec
}

func TestHandler(t *testing.T) {
	bubble(t, func(w *world) {
		w.known("bob")
		h := w.server("a")
		alice := h.waiting("full", "alice")
		h.load("carol")
		h.grant(buy("old", "carol"))
		if err := h.Leave(w.ctx, "carol"); err != nil {
			w.Fatal(err)
		}
		w.put("player/carol", `{"format":1,"birth":"","erased":true,"revision":0}`)
		web := receipt.Handler(h.book, honest{})
		text := func(events ...receipt.Event) string { return string(proof(events...).Body) }
		sword := receipt.Event{Purchase: buyOf("sword", "full", "alice")}
		for _, c := range []struct {
			name, method, body string
			want               int
		}{
			{"GrantsAPurchase", "POST", text(bought("1", "alice")), 200},
			{"GrantsItAgain", "POST", text(bought("1", "alice")), 200},
			{"RefundsIt", "POST", text(refunded("1")), 200},
			{"HasNothingToDoForWhatWasRefunded", "POST", text(bought("1", "alice")), 200},
			{"HasNothingToDoForNoEvents", "POST", text(), 200},
			{"HasNothingToTakeBackFromWhoWasErased", "POST", text(refunded("old")), 200},
			{"RefusesAPurchaseOfWhoWasErased", "POST", text(bought("new", "carol")), 422},
			{"TakesPOSTOnly", "GET", "", 405},
			{"RefusesAForgedProof", "POST", "forged", 401},
			{"RefusesAMalformedProof", "POST", "[", 400},
			{"RefusesAnEmptyProof", "POST", "", 400},
			{"RefusesALargeProof", "POST", strings.Repeat(" ", receipt.MaxProof+1), 413},
			{"RefusesAnothersPurchase", "POST", text(bought("1", "alice"), bought("2", "alice"), bought("2", "bob")), 422},
			{"RefusesWhatIsNobodys", "POST", text(bought("3", "")), 422},
			{"WantsItAgainWhileTheHandlerSaysNo", "POST", text(sword), 503},
			{"WantsItAgainIfAnyIsNotProcessed", "POST", text(bought("2", "bob"), sword), 503},
			{"WantsItAgainForWhoWasNeverThere", "POST", text(bought("4", "nobody")), 503},
			{"WantsItAgainIfItCannotBeJudged", "POST", "down", 503},
		} {
			rec := post(web, c.method, c.body)
			if rec.Code != c.want {
				w.Errorf("%s: status %d, want %d: %s", c.name, rec.Code, c.want, rec.Body)
			}
			if (rec.Header().Get("Retry-After") != "") != (c.want == 503) {
				w.Errorf("%s: status %d with Retry-After %q", c.name, rec.Code, rec.Header().Get("Retry-After"))
			}
			if strings.Contains(rec.Body.String(), "alice") || strings.Contains(rec.Body.String(), "key") {
				w.Errorf("%s: the answer tells too much: %s", c.name, rec.Body)
			}
		}
		if err := alice.Update(clearBag); err != nil {
			w.Fatal(err)
		}
		if rec := post(web, "POST", text(sword)); rec.Code != 200 || !bag.Has(alice, "full") {
			w.Errorf("status %d when there is room, want 200", rec.Code)
		}
		h.f.Use(faulty.All(faulty.Fault{Err: faulty.ErrDown}))
		if rec := post(web, "POST", text(bought("5", "alice"))); rec.Code != 503 {
			w.Errorf("status %d while the database is away, want 503", rec.Code)
		}
	})
}
