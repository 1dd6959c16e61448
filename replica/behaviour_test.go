package replica_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/holdfast-games/holdfast/internal/replicatest"
	"github.com/holdfast-games/holdfast/replica"
)

// TestBehaviour plays the scenarios that every client has to pass, over real
// connections.
func TestBehaviour(t *testing.T) {
	stage, err := replicatest.NewStage()
	if err != nil {
		t.Fatal(err)
	}
	defer stage.Close()
	defer http.DefaultClient.CloseIdleConnections()
	scenarios, err := replicatest.Scenarios()
	if err != nil {
		t.Fatal(err)
	}
	t.Run("all", func(t *testing.T) {
		for _, sc := range scenarios {
			t.Run(sc.Name, func(t *testing.T) {
				t.Parallel()
				d := &actor{T: t, stage: stage.URL()}
				d.post("/begin", sc, &d.begun)
				defer d.post("/end?player="+url.QueryEscape(d.begun.Player), nil, nil)
				defer d.close()
				for i, st := range sc.Steps {
					d.step = fmt.Sprintf("step %d, %s", i+1, st.Do)
					d.play(st)
				}
			})
		}
	})
}

// actor plays a scenario with a Client.
type actor struct {
	*testing.T
	stage  string
	begun  replicatest.Begun
	step   string
	client *replica.Client

	mu      sync.Mutex // guards what follows
	loaded  int
	saved   int
	updated map[string]int
	given   []string
}

func (d *actor) post(path string, body, answer any) {
	d.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		d.Fatal(err)
	}
	r, err := http.Post(d.stage+path, "application/json", bytes.NewReader(text))
	if err != nil {
		d.Fatalf("%s: %v", d.step, err)
	}
	d.read(r, answer)
}

func (d *actor) read(r *http.Response, answer any) {
	d.Helper()
	defer func() { _ = r.Body.Close() }()
	text, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != http.StatusOK {
		d.Fatalf("%s: the stage answers %d: %s, %v", d.step, r.StatusCode, text, err)
	}
	if answer != nil {
		if err := json.Unmarshal(text, answer); err != nil {
			d.Fatalf("%s: %v", d.step, err)
		}
	}
}

func (d *actor) play(st replicatest.Step) {
	d.Helper()
	switch st.Do {
	case "connect":
		d.connect(st)
	case "expect":
		d.await(func() string { return d.differs(st) })
	case "updated":
		d.await(func() string { return d.notUpdated(st) })
	case "same":
		d.same()
	case "never":
		d.never(st.Text)
	case "close":
		d.close()
	default:
		d.post("/step?player="+url.QueryEscape(d.begun.Player), st, nil)
	}
}

func (d *actor) connect(st replicatest.Step) {
	d.Helper()
	token, player := d.begun.Token, d.begun.Player
	if st.Token != nil {
		token = *st.Token
	}
	if st.Player != "" {
		player = st.Player
	}
	c, err := replica.Dial(d.begun.URL, player, &replica.ClientOptions{
		Token:      func(context.Context) (string, error) { return token, nil },
		FirstPause: 10 * time.Millisecond, LongestPause: 100 * time.Millisecond,
	})
	if err != nil {
		d.Fatal(err)
	}
	d.client, d.loaded, d.saved, d.updated = c, 0, 0, make(map[string]int)
	c.Replica().OnLoaded(func() { d.note(func() { d.loaded++ }) })
	c.Replica().OnSaved(func(replica.Code) { d.note(func() { d.saved++ }) })
	for _, name := range []string{"coins", "nick", "bag", "kills", "quests", "target", "xp", "level", "secret"} {
		c.Replica().OnUpdated(name, func(value json.RawMessage) {
			d.note(func() { d.updated[name]++; d.given = append(d.given, string(value)) })
		})
	}
}

func (d *actor) note(fn func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	fn()
}

func (d *actor) close() {
	if d.client != nil {
		d.client.Close()
	}
}

// await waits until nothing is wrong any more.
func (d *actor) await(wrong func() string) {
	d.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for {
		what := wrong()
		if what == "" {
			return
		}
		if time.Now().After(deadline) {
			d.Fatalf("%s: %s (client: %v)", d.step, what, d.client.Err())
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// differs says what is not as a step says.
func (d *actor) differs(st replicatest.Step) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	r := d.client.Replica()
	for name, want := range st.Fields {
		got, ok := r.JSON(name)
		switch {
		case string(want) == "null" && ok, string(want) != "null" && !ok:
			return fmt.Sprintf("%s = %s, %v, want %s", name, got, ok, want)
		case ok && canonical(d, got) != canonical(d, want):
			return fmt.Sprintf("%s = %s, want %s", name, got, want)
		}
	}
	switch {
	case st.HasLoaded != nil && *st.HasLoaded != r.HasLoaded():
		return fmt.Sprintf("hasLoaded = %v", r.HasLoaded())
	case st.LoadError != nil && *st.LoadError != string(r.LoadError()):
		return fmt.Sprintf("loadError = %q, want %q", r.LoadError(), *st.LoadError)
	case st.SaveError != nil && *st.SaveError != string(r.SaveError()):
		return fmt.Sprintf("saveError = %q, want %q", r.SaveError(), *st.SaveError)
	case st.Loaded != nil && *st.Loaded != d.loaded:
		return fmt.Sprintf("loaded was told %d times, want %d", d.loaded, *st.Loaded)
	case st.Saved != nil && d.saved < *st.Saved:
		return fmt.Sprintf("saved was told %d times, want %d", d.saved, *st.Saved)
	case st.Ended != "":
		ended, ok := errors.AsType[*replica.EndedError](d.client.Err())
		if !ok || string(ended.Reason) != st.Ended {
			return fmt.Sprintf("ended = %v, want %q", d.client.Err(), st.Ended)
		}
	}
	return ""
}

func (d *actor) notUpdated(st replicatest.Step) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	if n := d.updated[st.Field]; n < st.Times {
		return fmt.Sprintf("%s was told as updated %d times, want %d", st.Field, n, st.Times)
	}
	delete(d.updated, st.Field)
	return ""
}

func (d *actor) same() {
	d.Helper()
	var state map[string]json.RawMessage
	r, err := http.Get(d.stage + "/state?player=" + url.QueryEscape(d.begun.Player))
	if err != nil {
		d.Fatal(err)
	}
	d.read(r, &state)
	want := make(map[string]string)
	for name, value := range state {
		want[name] = canonical(d, value)
	}
	d.await(func() string { return cmp.Diff(want, has(d, d.client.Replica())) })
	time.Sleep(100 * time.Millisecond)
	if diff := cmp.Diff(want, has(d, d.client.Replica())); diff != "" {
		d.Errorf("%s: it did not remain so (-want +got):\n%s", d.step, diff)
	}
}

func (d *actor) never(text string) {
	d.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, value := range d.given {
		if strings.Contains(value, text) {
			d.Errorf("%s: the client was given %s", d.step, value)
		}
	}
	for name, value := range d.client.Replica().Fields() {
		if strings.Contains(string(value), text) {
			d.Errorf("%s: the client has %s = %s", d.step, name, value)
		}
	}
}
