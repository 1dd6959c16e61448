package replica_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/replica"
	"github.com/holdfast-games/holdfast/session"
)

// crowdURL names the variable that makes the test's program a crowd of clients: the
// address that they all connect to. The number of them is in crowdSize.
const (
	crowdURL  = "HOLDFAST_TEST_CROWD_URL"
	crowdSize = "HOLDFAST_TEST_CROWD_SIZE"
)

// crowd is many clients, in a process of their own so that the server's memory can be
// told from theirs.
type crowd struct {
	url string

	mu                       sync.Mutex
	states, refused, changes int
	odd                      string // the first thing that was neither
}

// runCrowd connects at once, says what came of it, and stays until its input ends.
func runCrowd() {
	c, n := &crowd{url: os.Getenv(crowdURL)}, 0
	fmt.Sscan(os.Getenv(crowdSize), &n)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var all sync.WaitGroup
	for range n {
		all.Go(func() { c.connect(ctx) })
	}
	c.say(n, func() int { return c.states + c.refused })
	c.say(c.states, func() int { return c.changes })
	_, _ = io.Copy(io.Discard, os.Stdin)
	cancel()
	all.Wait()
}

// say waits until a count has come to n, or something odd has happened, and prints all.
func (c *crowd) say(n int, count func() int) {
	for {
		c.mu.Lock()
		done, text := count() >= n || c.odd != "", fmt.Sprintf("%d %d %d %q", c.states, c.refused, c.changes, c.odd)
		c.mu.Unlock()
		if done {
			fmt.Println(text)
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func (c *crowd) note(fn func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	fn()
}

// connect is one client.
func (c *crowd) connect(ctx context.Context) {
	ws, resp, err := websocket.Dial(ctx, c.url, &websocket.DialOptions{Subprotocols: []string{"holdfast.replica.v1"}})
	switch {
	case resp != nil && resp.StatusCode == http.StatusServiceUnavailable:
		c.note(func() { c.refused++ })
		return
	case err != nil:
		c.note(func() { c.odd = err.Error() })
		return
	}
	defer func() { _ = ws.CloseNow() }()
	err = ws.Write(ctx, websocket.MessageText, []byte(`{"type":"hello","player":"1"}`))
	for err == nil {
		var text []byte
		if _, text, err = ws.Read(ctx); err != nil {
			break
		}
		var f struct {
			Type string `json:"type"`
		}
		if err = json.Unmarshal(text, &f); err != nil {
			break
		}
		switch f.Type {
		case "state":
			c.note(func() { c.states++ })
		case "change":
			c.note(func() { c.changes++ })
		case "ping":
			err = ws.Write(ctx, websocket.MessageText, []byte(`{"type":"pong"}`))
		}
	}
	if ctx.Err() == nil {
		c.note(func() { c.odd = err.Error() })
	}
}

// Ten thousand with HOLDFAST_SOAK, some hundred else.
func TestCrowdAtOnce(t *testing.T) {
	n, most := 600, 500
	if os.Getenv("HOLDFAST_SOAK") != "" {
		n, most = 10_000, 8_000 // a process may have 20,000 files open here and there
	}
	anybody := func(context.Context, *http.Request, session.Key, string) error { return nil }
	h := newHouseWith(t, nil, anybody, &replica.Options{Watchers: n}, &replica.HandlerOptions{Conns: most})
	before := inUse()

	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), crowdURL+"="+strings.Replace(h.http.URL, "http", "ws", 1), fmt.Sprintf("%s=%d", crowdSize, n))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Wait() }()
	defer in.Close()
	lines := bufio.NewScanner(out)
	says := func(want string) {
		t.Helper()
		if !lines.Scan() || lines.Text() != want {
			t.Fatalf("the crowd says %q (states, refused, changes, what was odd), want %q", lines.Text(), want)
		}
	}
	says(fmt.Sprintf("%d %d 0 %q", most, n-most, ""))
	perClient := (inUse() - before) / most
	t.Logf("%d clients at once: %d are served, with %d bytes of the server's memory each", n, most, perClient)
	if perClient > 60_000 { // holdfast bench --replica measures it
		t.Errorf("a client costs %d bytes of the server's memory", perClient)
	}
	h.update(h.p, func(tx *profile.Tx) { _ = coins.Set(tx, 77) })
	says(fmt.Sprintf("%d %d %d %q", most, n-most, most, ""))
}

// inUse returns the bytes of heap and stacks that are in use.
func inUse() int {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapInuse + m.StackInuse)
}
