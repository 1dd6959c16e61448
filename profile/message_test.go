package profile_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"

	"github.com/holdfast-games/holdfast/bus"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/session"
)

// handleGifts has a server give coins to those to whom a message says so.
func handleGifts(w *world, srv *profile.Server) *profile.Server {
	w.Helper()
	err := srv.Handle("gift", func(tx *profile.Tx, m *profile.Message) (json.RawMessage, error) {
		var n int64
		if err := json.Unmarshal(m.Body, &n); err != nil {
			return nil, err
		}
		coins.Add(tx, n)
		return json.Marshal(coins.Get(tx))
	})
	if err != nil {
		w.Fatalf("Handle: %v", err)
	}
	return srv
}

func TestMessages(t *testing.T) {
	for _, where := range []string{"Here", "Elsewhere", "ElsewhereWithoutABus", "Offline"} {
		t.Run(where+"IsHandledOnce", func(t *testing.T) {
			bubble(t, func(w *world) {
				hub, options := bus.NewLocal(), [2]profile.Options{}
				for i := range options {
					if where == "ElsewhereWithoutABus" {
						continue
					}
					line, err := hub.Open(nil)
					if err != nil {
						t.Fatal(err)
					}
					w.Cleanup(func() { _ = line.Close() })
					options[i].Session.Bus = line
				}
				a, b := handleGifts(w, w.server("a", &options[0])), handleGifts(w, w.server("b", &options[1]))
				p := w.load(a, "alice")
				w.update(p, func(tx *profile.Tx) { coins.Set(tx, 10) })
				sender := b
				switch where {
				case "Here":
					sender = a
				case "Offline":
					w.close(p)
				}
				for range 2 {
					id, err := sender.Send(w.ctx, "alice", profile.Message{ID: "daily", Topic: "gift", Body: json.RawMessage(`5`)}, nil)
					if err != nil {
						t.Fatalf("Send: %v", err)
					}
					out, err := sender.Deliver(w.ctx, "alice", id)
					if err != nil || string(out.Result) != "15" || out.Revision != 2 {
						t.Fatalf("Deliver = %s at %d, %v, want 15 at 2", out.Result, out.Revision, err)
					}
				}
			})
		})
	}
	t.Run("UnknownPlayerIsRefusedUnlessWhoeverComesIsMeant", func(t *testing.T) {
		bubble(t, func(w *world) {
			a := handleGifts(w, w.server("a", nil))
			m := profile.Message{Topic: "gift", Body: json.RawMessage(`5`)}
			if _, err := a.Send(w.ctx, "nobody", m, nil); !errors.Is(err, session.ErrNotFound) {
				t.Errorf("Send to nobody = %v, want ErrNotFound", err)
			}
			if _, err := a.Send(w.ctx, "nobody", m, &profile.SendOptions{Whoever: true}); err != nil {
				t.Fatalf("Send to whoever comes: %v", err)
			}
			p, err := a.Open(context.Background(), "nobody", nil)
			if err != nil || coins.Get(p) != 505 {
				t.Errorf("coins of who came = %d, %v, want 505", coins.Get(p), err)
			}
		})
	})
}
