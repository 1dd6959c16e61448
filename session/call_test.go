package session_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-games/holdfast/bus"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/session"
)

// desk answers questions: "echo" with the question, "refuse" with an error of the
// question's text, "large" with more than fits, and "wait" when it is told to.
type desk struct {
	asked atomic.Int64
	went  chan struct{}
}

func (d *desk) answer(ctx context.Context, verb string, body []byte) ([]byte, error) {
	d.asked.Add(1)
	switch verb {
	case "echo":
		return body, nil
	case "refuse":
		return nil, errors.New(string(body))
	case "large":
		return make([]byte, session.MaxCall+1), nil
	}
	select {
	case <-d.went:
		return []byte("done"), nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// asked is what an Ask came to.
type asked struct {
	body []byte
	err  error
}

func TestAsk(t *testing.T) {
	type table struct {
		*world
		a, b host
		line *line
		desk *desk
	}
	ask := func(w *table, verb, body string) asked {
		ctx, cancel := context.WithTimeout(w.ctx, time.Second)
		defer cancel()
		b, err := w.a.Ask(ctx, w.b.LeaseID(), verb, []byte(body))
		return asked{b, err}
	}
	asking := func(w *table, ctx context.Context, n int) []<-chan asked {
		var all []<-chan asked
		for range n {
			done := make(chan asked, 1)
			all = append(all, done)
			go func() {
				b, err := w.a.Ask(ctx, w.b.LeaseID(), "wait", nil)
				done <- asked{b, err}
			}()
		}
		synctest.Wait()
		return all
	}
	// An error of the other server, by its text.
	refused := func(w *table, got asked, text string) {
		w.t.Helper()
		var answer *session.AnswerError
		if !errors.As(got.err, &answer) || !strings.HasPrefix(answer.Text, text) || errors.Is(got.err, session.ErrNoAnswer) {
			w.t.Errorf("Ask = %q, %v; want an AnswerError %q", got.body, got.err, text)
		}
	}
	for _, c := range []struct {
		name string
		run  func(w *table)
	}{
		{"ReturnsTheAnswer", func(w *table) {
			for _, body := range []string{"", "hello", "\x00\xff", strings.Repeat("x", session.MaxCall)} {
				if got := ask(w, "echo", body); got.err != nil || string(got.body) != body {
					w.t.Errorf("Ask of %d bytes = %d bytes, %v; want them back", len(body), len(got.body), got.err)
				}
			}
		}},
		{"ReturnsTheError", func(w *table) {
			refused(w, ask(w, "refuse", "not today"), "not today")
			refused(w, ask(w, "refuse", ""), "an error without a text")
			refused(w, ask(w, "refuse", strings.Repeat("ü", session.MaxCall/2)), strings.Repeat("ü", 500))
			refused(w, ask(w, "large", ""), "the answer is too large")
		}},
		{"AsksOneself", func(w *table) {
			if _, err := w.b.Ask(w.ctx, w.b.LeaseID(), "echo", nil); err != nil {
				w.t.Errorf("Ask = %v", err)
			}
		}},
		{"RefusesWhatIsNoQuestion", func(w *table) {
			lease := w.b.LeaseID()
			for name, bad := range map[string]struct{ lease, verb, body string }{
				"NoLease":   {"x", "echo", ""},
				"NoVerb":    {lease, "", "x"}, // it would be an answer
				"LongVerb":  {lease, strings.Repeat("v", session.MaxVerb+1), ""},
				"LargeBody": {lease, "echo", strings.Repeat("x", session.MaxCall+1)},
			} {
				b, err := w.a.Ask(w.ctx, bad.lease, bad.verb, []byte(bad.body))
				if err == nil || errors.Is(err, session.ErrNoAnswer) || name != "NoLease" && !errors.Is(err, driver.ErrInvalid) {
					w.t.Errorf("%s: Ask = %q, %v; want a refusal", name, b, err)
				}
			}
			if n := w.desk.asked.Load(); n != 0 {
				w.t.Errorf("the other server was asked %d times", n)
			}
		}},
		{"LostQuestionIsNoAnswer", func(w *table) {
			w.line.lose(`"verb"`)
			if got := ask(w, "echo", "x"); !errors.Is(got.err, session.ErrNoAnswer) || !errors.Is(got.err, context.DeadlineExceeded) {
				w.t.Errorf("Ask = %v, want ErrNoAnswer and the cause", got.err)
			}
		}},
		{"LostAnswerIsNoAnswer", func(w *table) {
			w.line.copies = func(msg []byte) int { return bytes.Count(msg, []byte(`"verb"`)) }
			if got := ask(w, "echo", "x"); !errors.Is(got.err, session.ErrNoAnswer) || !errors.Is(got.err, context.DeadlineExceeded) {
				w.t.Errorf("Ask = %v, want ErrNoAnswer and the cause", got.err)
			}
			if n := w.desk.asked.Load(); n != 1 {
				w.t.Errorf("the other server was asked %d times, want 1", n)
			}
		}},
		{"LateAnswerIsNobodys", func(w *table) {
			got := ask(w, "wait", "")
			if !errors.Is(got.err, session.ErrNoAnswer) {
				w.t.Errorf("Ask = %v, want ErrNoAnswer", got.err)
			}
			close(w.desk.went)
			synctest.Wait()
			if got := ask(w, "echo", "x"); got.err != nil || string(got.body) != "x" {
				w.t.Errorf("the next Ask = %q, %v; want its own answer", got.body, got.err)
			}
		}},
		{"DoubledMessagesMakeOneAnswer", func(w *table) {
			w.line.double()
			for i := range 10 {
				if got := ask(w, "echo", fmt.Sprint(i)); got.err != nil || string(got.body) != fmt.Sprint(i) {
					w.t.Errorf("Ask = %q, %v; want %d", got.body, got.err, i)
				}
			}
			synctest.Wait()
			if n := w.desk.asked.Load(); n != 20 {
				w.t.Errorf("doubled questions were dealt with %d times, want 20", n)
			}
		}},
		{"TooManyAtOnceAreRefused", func(w *table) {
			ctx, cancel := context.WithCancel(w.ctx)
			all := asking(w, ctx, 256)
			refused(w, ask(w, "echo", "x"), "too many")
			close(w.desk.went)
			for _, done := range all {
				if got := within(w.world, time.Second, "answer", done); got.err != nil || string(got.body) != "done" {
					w.t.Fatalf("Ask = %q, %v; want its answer", got.body, got.err)
				}
			}
			cancel()
			if got := ask(w, "echo", "x"); got.err != nil {
				w.t.Errorf("Ask after they were answered = %v", got.err)
			}
		}},
		{"EndsWhenTheServerCloses", func(w *table) {
			all := asking(w, w.ctx, 1)
			w.shut(w.a)
			if got := within(w.world, time.Second, "answer", all[0]); !errors.Is(got.err, session.ErrClosed) {
				w.t.Errorf("Ask of a server that closes = %v, want ErrClosed", got.err)
			}
			if got := ask(w, "echo", "x"); got.err == nil {
				w.t.Errorf("Ask of a closed server = %q, want an error", got.body)
			}
		}},
		{"ClosingServerWaitsForItsAnswers", func(w *table) {
			all := asking(w, w.ctx, 1)
			w.shut(w.b)
			pending(w.world, "answer of a server that closed", all[0])
			close(w.desk.went)
			w.shut(w.a)
		}},
		{"ForgedMessagesAreIgnored", func(w *table) {
			all := asking(w, w.ctx, 1)
			for _, bad := range []string{
				`{"call":{"id":99,"body":"eA=="}}`, `{"call":{}}`, `{"call":7}`, `{"call":{"id":-1,"verb":"echo"}}`,
				`{"call":{"id":1,"verb":"echo"}}`, "\xff", strings.Repeat("x", 1<<20), `{"call":{"id":1,"body":"%"}}`,
			} {
				w.line.tell(topic(w.a), bus.Message{Data: []byte(bad)})
				w.line.tell(topic(w.b), bus.Message{Data: []byte(bad)})
			}
			pending(w.world, "answer", all[0])
			close(w.desk.went)
			if got := within(w.world, time.Second, "answer", all[0]); string(got.body) != "done" {
				w.t.Errorf("Ask = %q, %v; want its answer", got.body, got.err)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(w *world) {
				x := &table{world: w, line: newLine(), desk: &desk{went: make(chan struct{})}}
				x.a = w.server("a", &session.Options{Bus: x.line})
				x.b = w.server("b", &session.Options{Bus: x.line, Answer: x.desk.answer})
				c.run(x)
			})
		})
	}
}

func TestAskWithoutABus(t *testing.T) {
	bubble(t, func(w *world) {
		for _, o := range []*session.Options{nil, {Bus: deaf{}}} {
			a, b := w.server("a", o), w.server("b", o)
			if got, err := a.Ask(w.ctx, b.LeaseID(), "echo", nil); !errors.Is(err, session.ErrNoAnswer) {
				t.Errorf("Ask without a bus = %q, %v; want ErrNoAnswer", got, err)
			}
		}
	})
}

// A server that answers no questions says so, on a bus as it is.
func TestAskOfAServerThatDoesNotAnswer(t *testing.T) {
	bubble(t, func(w *world) {
		o := &session.Options{Bus: w.bus()}
		a, b := w.server("a", o), w.server("b", o)
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				var answer *session.AnswerError
				if got, err := a.Ask(w.ctx, b.LeaseID(), "echo", nil); !errors.As(err, &answer) {
					t.Errorf("Ask = %q, %v; want an AnswerError", got, err)
				}
			})
		}
		wg.Wait()
	})
}
