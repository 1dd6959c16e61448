package replica_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/golang-jwt/jwt/v5"

	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/replica"
	"github.com/holdfast-games/holdfast/session"
)

// house is a game server that clients connect to, with player "1".
type house struct {
	*world
	key      ed25519.PrivateKey
	profiles *profile.Server
	p        *profile.Profile
	handler  *replica.Handler
	http     *httptest.Server
	came     atomic.Int64 // requests
}

func newHouse(t *testing.T, o *replica.Options, ho *replica.HandlerOptions) *house {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	return newHouseWith(t, private, replica.PlayerTokens(public), o, ho)
}

func newHouseWith(t *testing.T, key ed25519.PrivateKey, authorize replica.Authorize, o *replica.Options, ho *replica.HandlerOptions) *house {
	t.Helper()
	h := &house{world: newWorld(t), key: key}
	h.profiles = h.world.profiles("a", nil)
	h.p = h.load(h.profiles, "1")
	handler, err := replica.NewHandler(h.replicas(h.profiles, o), authorize, ho)
	if err != nil {
		t.Fatal(err)
	}
	h.handler = handler
	h.http = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.came.Add(1)
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := handler.Close(ctx); err != nil {
			t.Error(err)
		}
		h.http.Close()
		http.DefaultClient.CloseIdleConnections()
	})
	return h
}

func (h *house) token(id string) string {
	h.Helper()
	token, err := replica.IssueToken(h.key, player.Key(id), time.Minute)
	if err != nil {
		h.Fatal(err)
	}
	return token
}

func (h *house) url() string { return "ws" + strings.TrimPrefix(h.http.URL, "http") }

// dial connects as a client that says nothing yet.
func (h *house) dial(o *websocket.DialOptions) (*websocket.Conn, *http.Response, error) {
	h.Helper()
	if o == nil {
		o = &websocket.DialOptions{Subprotocols: []string{"holdfast.replica.v1"}}
	}
	c, r, err := websocket.Dial(h.ctx, h.url(), o)
	if err == nil {
		h.Cleanup(func() { _ = c.CloseNow() })
		c.SetReadLimit(-1)
	}
	return c, r, err
}

// raw is a client without any manners of its own.
func (h *house) raw() *websocket.Conn {
	h.Helper()
	c, _, err := h.dial(nil)
	if err != nil {
		h.Fatal(err)
	}
	return c
}

func (h *house) say(c *websocket.Conn, text string) {
	h.Helper()
	if err := c.Write(h.ctx, websocket.MessageText, []byte(text)); err != nil {
		h.Fatal(err)
	}
}

func hello(id, token string) string {
	return fmt.Sprintf(`{"type":"hello","player":%q,"token":%q}`, id, token)
}

// enter is a raw client that has been given the state.
func (h *house) enter() *websocket.Conn {
	h.Helper()
	c := h.raw()
	h.say(c, hello("1", h.token("1")))
	if text := h.hear(c); !strings.HasPrefix(text, `{"type":"state"`) {
		h.Fatalf("the first frame is %s", text)
	}
	return c
}

func (h *house) hear(c *websocket.Conn) string {
	h.Helper()
	ctx, cancel := context.WithTimeout(h.ctx, 10*time.Second)
	defer cancel()
	_, text, err := c.Read(ctx)
	if err != nil {
		h.Fatalf("Read: %v", err)
	}
	return string(text)
}

// wantsClose reads until the server closes, with a code and a reason.
func (h *house) wantsClose(c *websocket.Conn, code int, reason string) {
	h.Helper()
	ctx, cancel := context.WithTimeout(h.ctx, 20*time.Second)
	defer cancel()
	for {
		_, _, err := c.Read(ctx)
		if err == nil {
			continue
		}
		var closed websocket.CloseError
		if !errors.As(err, &closed) || int(closed.Code) != code || !strings.HasPrefix(closed.Reason, reason) {
			h.Errorf("the connection ends with %v, want %d %s", err, code, reason)
		}
		return
	}
}

// others checks that somebody else is not affected.
func (h *house) others() {
	h.Helper()
	c := h.client("1")
	n := time.Now().UnixNano()
	h.update(h.p, func(tx *profile.Tx) { _ = coins.Set(tx, n) })
	h.awaits(c, "coins", fmt.Sprint(n))
	c.Close()
}

func (h *house) client(id string) *replica.Client {
	h.Helper()
	c, err := replica.Dial(h.url(), id, &replica.ClientOptions{
		Token:      func(context.Context) (string, error) { return h.token(id), nil },
		FirstPause: 10 * time.Millisecond, LongestPause: 100 * time.Millisecond,
	})
	if err != nil {
		h.Fatal(err)
	}
	h.Cleanup(c.Close)
	ctx, cancel := context.WithTimeout(h.ctx, 10*time.Second)
	defer cancel()
	if err := c.WaitLoaded(ctx); err != nil {
		h.Fatal(err)
	}
	return c
}

func (h *house) awaits(c *replica.Client, field, want string) {
	h.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		got, _ := c.Replica().JSON(field)
		if string(got) == want {
			return
		}
		if time.Now().After(deadline) {
			h.Fatalf("%s = %s, want %s", field, got, want)
		}
	}
}

func TestWhoIsNotLetIn(t *testing.T) {
	h := newHouse(t, nil, nil)
	_, other, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	sign := func(method jwt.SigningMethod, key any, claims jwt.MapClaims) string {
		token, err := jwt.NewWithClaims(method, claims).SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	now := time.Now()
	good := func() jwt.MapClaims {
		return jwt.MapClaims{"aud": "holdfast.replica", "sub": "player/1", "iat": now.Unix(), "exp": now.Add(time.Minute).Unix()}
	}
	with := func(name string, value any) jwt.MapClaims {
		c := good()
		if c[name] = value; value == nil {
			delete(c, name)
		}
		return c
	}
	eddsa := jwt.SigningMethodEdDSA
	for _, test := range []struct {
		name, token string
		code        int
		reason      string
	}{
		{"NoToken", "", 4002, "forbidden"},
		{"Nonsense", "a.b.c", 4002, "forbidden"},
		{"AnotherPlayersToken", h.token("2"), 4002, "forbidden"},
		{"AnotherKindsToken", sign(eddsa, h.key, with("sub", "guild/1")), 4002, "forbidden"},
		{"AnotherKey", sign(eddsa, other, good()), 4002, "forbidden"},
		{"AnotherKeyAndExpired", sign(eddsa, other, with("exp", now.Add(-time.Hour).Unix())), 4002, "forbidden"},
		{"AnotherAudience", sign(eddsa, h.key, with("aud", "shop")), 4002, "forbidden"},
		{"NoAudience", sign(eddsa, h.key, with("aud", nil)), 4002, "forbidden"},
		{"Unsigned", sign(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, good()), 4002, "forbidden"},
		{"SignedWithThePublicKey", sign(jwt.SigningMethodHS256, []byte(h.key.Public().(ed25519.PublicKey)), good()), 4002, "forbidden"},
		{"WithoutEnd", sign(eddsa, h.key, with("exp", nil)), 4002, "forbidden"},
		{"WithoutBegin", sign(eddsa, h.key, with("iat", nil)), 4002, "forbidden"},
		{"FromTheFuture", sign(eddsa, h.key, with("iat", now.Add(time.Minute).Unix())), 4002, "forbidden"},
		{"TooLong", sign(eddsa, h.key, with("exp", now.Add(2*time.Hour).Unix())), 4002, "forbidden"},
		{"Expired", sign(eddsa, h.key, with("exp", now.Add(-time.Minute).Unix())), 4102, "expired"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := h.raw()
			h.say(c, hello("1", test.token))
			h.wantsClose(c, test.code, test.reason)
		})
	}
	t.Run("ButTheTokenOfThePlayerIs", func(t *testing.T) {
		c := h.raw()
		h.say(c, hello("1", sign(eddsa, h.key, good())))
		if text := h.hear(c); !strings.HasPrefix(text, `{"type":"state"`) {
			t.Errorf("the first frame is %s", text)
		}
	})
	h.others()
}

func TestTokensThatCannotBeMade(t *testing.T) {
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		key  ed25519.PrivateKey
		id   session.Key
		life time.Duration
	}{{key[:5], player.Key("1"), time.Minute}, {key, player.Key(""), time.Minute}, {key, player.Key("1"), 0}, {key, player.Key("1"), 2 * time.Hour}} {
		if _, err := replica.IssueToken(test.key, test.id, test.life); !errors.Is(err, replica.ErrOption) {
			t.Errorf("IssueToken(%v, %v) = %v, want ErrOption", test.id, test.life, err)
		}
	}
}

func TestAnAuthorizeThatFails(t *testing.T) {
	h := newHouseWith(t, nil, func(_ context.Context, r *http.Request, player session.Key, _ string) error {
		if r.Header.Get("X-Who") != "me" || player.String() != "player/1" {
			return errors.New("the password database is down: secret detail")
		}
		return nil
	}, nil, nil)
	c := h.raw()
	h.say(c, hello("1", ""))
	h.wantsClose(c, 4108, "failed")
	c, _, err := h.dial(&websocket.DialOptions{Subprotocols: []string{"holdfast.replica.v1"}, HTTPHeader: http.Header{"X-Who": {"me"}}})
	if err != nil {
		t.Fatal(err)
	}
	h.say(c, hello("1", ""))
	h.hear(c)
}

func TestHandshakes(t *testing.T) {
	h := newHouse(t, nil, &replica.HandlerOptions{Origins: []string{"*.example.com"}})
	t.Run("AnotherVersionIsToldSo", func(t *testing.T) {
		c, _, err := h.dial(&websocket.DialOptions{Subprotocols: []string{"chat", "holdfast.replica.v0"}})
		if err != nil {
			t.Fatal(err)
		}
		if got := c.Subprotocol(); got != "holdfast.replica.v0" {
			t.Errorf("the server selects %q, which a browser would not take", got)
		}
		h.wantsClose(c, 4001, "version: this server speaks holdfast.replica.v1")
	})
	t.Run("OneOfSeveralVersionsIsChosen", func(t *testing.T) {
		c, _, err := h.dial(&websocket.DialOptions{Subprotocols: []string{"holdfast.replica.v2", "holdfast.replica.v1"}})
		if err != nil || c.Subprotocol() != "holdfast.replica.v1" {
			t.Errorf("Dial = %v, want holdfast.replica.v1", err)
		}
	})
	t.Run("NoVersionIsRefused", func(t *testing.T) {
		for _, ps := range [][]string{nil, {"chat"}} {
			_, r, err := h.dial(&websocket.DialOptions{Subprotocols: ps})
			if err == nil || r == nil || r.StatusCode != http.StatusBadRequest {
				t.Fatalf("Dial = %v, want 400", err)
			}
			if body, _ := io.ReadAll(r.Body); !strings.Contains(string(body), "holdfast.replica.v1") {
				t.Errorf("the answer is %s", body)
			}
		}
	})
	t.Run("Origins", func(t *testing.T) {
		for origin, want := range map[string]int{"https://evil.example": 403, "https://game.example.com": 101, h.http.URL: 101} {
			_, r, _ := h.dial(&websocket.DialOptions{Subprotocols: []string{"holdfast.replica.v1"}, HTTPHeader: http.Header{"Origin": {origin}}})
			if r == nil || r.StatusCode != want {
				t.Errorf("from %s: %v, want %d", origin, r, want)
			}
		}
	})
	t.Run("NoWebSocket", func(t *testing.T) {
		r, err := http.Get(h.http.URL)
		if err != nil || r.StatusCode != http.StatusBadRequest {
			t.Errorf("GET = %v, %v", r, err)
		}
		_ = r.Body.Close()
	})
	h.others()
}

func TestBadFrames(t *testing.T) {
	h := newHouse(t, nil, nil)
	t.Run("InsteadOfAHello", func(t *testing.T) {
		for _, text := range []string{
			``, `{}`, `[]`, `null`, `"hello"`, `{"type":"hello"}`, `{"type":"pong"}`, `{"type":"hello","player":7}`, `{"type":"hello","player":"1","rev":-1}`,
			`{"type":"hello","player":"1","player":"2"}`, "{\"type\":\"hello\",\"player\":\"\xff\"}", hello("1", h.token("1")) + "x",
			`{"type":"hello","player":"1","epoch":"` + strings.Repeat("e", 33) + `"}`, `{"type":"hello","player":"` + strings.Repeat("p", 600) + `"}`,
		} {
			c := h.raw()
			_ = c.Write(h.ctx, websocket.MessageText, []byte(text))
			h.wantsClose(c, 4000, "malformed")
		}
		c := h.raw()
		_ = c.Write(h.ctx, websocket.MessageBinary, []byte(hello("1", h.token("1"))))
		h.wantsClose(c, 4000, "malformed")
	})
	t.Run("After", func(t *testing.T) {
		for _, text := range []string{`{"type":"hello","player":"1"}`, `{"type":"buy"}`, `{`} {
			c := h.enter()
			h.say(c, text)
			h.wantsClose(c, 4000, "malformed")
		}
	})
	t.Run("TooMany", func(t *testing.T) {
		c := h.enter()
		for range 200 {
			if c.Write(h.ctx, websocket.MessageText, []byte(`{"type":"pong"}`)) != nil {
				break
			}
		}
		h.wantsClose(c, 4000, "malformed")
	})
	t.Run("Of100MB", func(t *testing.T) {
		conn := h.deaf()
		defer func() { _ = conn.Close() }()
		_, _ = conn.Write([]byte{0x81, 0x80 | 127, 0, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0}) // the head of a text of so many bytes
		sent, chunk := 0, bytes.Repeat([]byte(" "), 64<<10)
		for sent < 100<<20 {
			n, err := conn.Write(chunk)
			if sent += n; err != nil {
				break
			}
		}
		if sent > 50<<20 {
			t.Errorf("%d bytes of it were taken", sent)
		}
	})
	h.others()
}

func TestWhoSaysNothing(t *testing.T) {
	h := newHouse(t, &replica.Options{Ping: 100 * time.Millisecond}, &replica.HandlerOptions{HelloWithin: 200 * time.Millisecond})
	mute := h.raw()
	h.wantsClose(mute, 4106, "silent")

	began := time.Now()
	c := h.enter() // reads, and answers no ping
	h.wantsClose(c, 4106, "silent")
	if took := time.Since(began); took < 250*time.Millisecond {
		t.Errorf("given up after %v", took)
	}

	// Who answers stays, whether much is sent to him or nothing.
	came := h.came.Load()
	polite := h.client("1")
	time.Sleep(600 * time.Millisecond)
	for i := range 30 {
		h.update(h.p, func(tx *profile.Tx) { _ = coins.Set(tx, int64(i)) })
		h.awaits(polite, "coins", fmt.Sprint(i))
		time.Sleep(20 * time.Millisecond)
	}
	if n := h.came.Load() - came; n != 1 {
		t.Errorf("it came %d times", n)
	}
	h.others()
}

// TestWhoNeverReads has clients that read nothing any more while much is sent to them.
func TestWhoNeverReads(t *testing.T) {
	t.Run("HoldsUpNobody", func(t *testing.T) {
		h := newHouse(t, &replica.Options{Tick: replica.AtOnce}, nil)
		var deaf []net.Conn
		for range 20 {
			deaf = append(deaf, h.deaf())
		}
		h.shower(h.client("1"), 50)
		for _, conn := range deaf {
			_ = conn.Close()
		}
	})
	t.Run("IsCut", func(t *testing.T) {
		h := newHouse(t, &replica.Options{Tick: replica.AtOnce}, &replica.HandlerOptions{WriteWithin: 100 * time.Millisecond})
		conn := h.deaf()
		defer func() { _ = conn.Close() }()
		h.shower(h.client("1"), 50)
		for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
			if _, err := conn.Write([]byte{0x8a, 0x80, 0, 0, 0, 0}); err != nil { // a pong, of the WebSocket itself
				return
			}
			if time.Now().After(deadline) {
				t.Fatal("it is not cut")
			}
		}
	})
}

// shower makes large updates, and waits until each has reached a client that reads.
func (h *house) shower(c *replica.Client, n int) {
	h.Helper()
	big := strings.Repeat("x", 200_000)
	for i := range n {
		h.update(h.p, func(tx *profile.Tx) { _ = nick.Set(tx, fmt.Sprint(i, big)); _ = coins.Set(tx, int64(i)) })
		h.awaits(c, "coins", fmt.Sprint(i))
	}
}

// deaf connects a client that is let in, and reads nothing.
func (h *house) deaf() net.Conn {
	h.Helper()
	conn, err := net.Dial("tcp", h.http.Listener.Addr().String())
	if err != nil {
		h.Fatal(err)
	}
	_ = conn.(*net.TCPConn).SetReadBuffer(4096)
	_, _ = fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"+
		"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: holdfast.replica.v1\r\n\r\n")
	if r, err := http.ReadResponse(bufio.NewReader(conn), nil); err != nil || r.StatusCode != 101 {
		h.Fatalf("handshake: %v, %v", r, err)
	}
	text := hello("1", h.token("1"))
	_, _ = conn.Write(append([]byte{0x81, 0x80 | 126, byte(len(text) >> 8), byte(len(text)), 0, 0, 0, 0}, text...))
	return conn
}

func TestTooManyConnections(t *testing.T) {
	h := newHouse(t, &replica.Options{Watchers: 2}, &replica.HandlerOptions{Conns: 4})
	h.enter()
	h.enter()
	c := h.raw()
	h.say(c, hello("1", h.token("1")))
	h.wantsClose(c, 4107, "crowded")
	for n := 0; ; { // one may be refused until the third is forgotten
		_, r, err := h.dial(nil)
		if err == nil {
			n++
			continue
		}
		if r == nil || r.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("the handshake is answered with %v, want 503", err)
		}
		if n == 2 {
			return
		}
	}
}

func TestCloseOfTheHandler(t *testing.T) {
	connected, gone := make(chan *replica.Conn, 2), make(chan *replica.Conn, 2)
	h := newHouse(t, nil, &replica.HandlerOptions{
		Connected:    func(c *replica.Conn) { connected <- c },
		Disconnected: func(c *replica.Conn) { gone <- c },
	})
	first := h.enter()
	conn := <-connected
	if conn.Player() != player.Key("1") {
		t.Errorf("Player() = %v", conn.Player())
	}
	conn.Close(replica.Crowded)
	h.wantsClose(first, 4107, "crowded")
	if got := <-gone; got != conn {
		t.Errorf("told of %p, want %p", got, conn)
	}
	cut := h.enter()
	(<-connected).CloseNow()
	if _, _, err := cut.Read(h.ctx); err == nil {
		t.Error("a connection that was cut goes on")
	}
	<-gone

	last := h.enter()
	done := make(chan error)
	go func() { done <- h.handler.Close(h.ctx) }()
	h.wantsClose(last, 1001, "leaving")
	if err := <-done; err != nil {
		t.Errorf("Close() = %v", err)
	}
	if _, r, err := h.dial(nil); err == nil || r == nil || r.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("Dial after Close = %v, want 503", err)
	}
}

// tap notes all that comes from the server, as it is on the wire.
type tap struct {
	net.Conn
	mu   *sync.Mutex
	seen *bytes.Buffer
}

func (t tap) Read(p []byte) (int, error) {
	n, err := t.Conn.Read(p)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.seen.Write(p[:n])
	return n, err
}

func TestNothingPrivateIsOnTheWire(t *testing.T) {
	h := newHouse(t, nil, nil)
	h.update(h.p, func(tx *profile.Tx) { _ = secret.Set(tx, "hidden-1"); _ = nick.Set(tx, "visible-1") })
	var mu sync.Mutex
	var seen bytes.Buffer
	dialer := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, addr)
		return tap{conn, &mu, &seen}, err
	}}}
	c, _, err := h.dial(&websocket.DialOptions{HTTPClient: dialer, Subprotocols: []string{"holdfast.replica.v1"}}) // without compression
	if err != nil {
		t.Fatal(err)
	}
	h.say(c, hello("1", h.token("1")))
	h.hear(c)
	for i := range 10 {
		h.p.SetPrivate(nick, true)
		h.update(h.p, func(tx *profile.Tx) {
			_ = secret.Set(tx, fmt.Sprint("hidden-2-", i))
			_ = nick.Set(tx, fmt.Sprint("hidden-3-", i))
			_ = coins.Set(tx, int64(1000+i))
		})
		for !strings.Contains(h.hear(c), fmt.Sprint(1000+i)) {
		}
		h.update(h.p, func(tx *profile.Tx) { _ = nick.Set(tx, fmt.Sprint("visible-", i)) })
		h.p.SetPrivate(nick, false)
		for !strings.Contains(h.hear(c), fmt.Sprint("visible-", i)) {
		}
	}
	mu.Lock()
	defer mu.Unlock()
	for _, want := range []string{"visible-1", "visible-9", "1009"} {
		if !bytes.Contains(seen.Bytes(), []byte(want)) {
			t.Errorf("%q is not on the wire: the test reads something else", want)
		}
	}
	for _, leak := range []string{"hidden", "secret", `"~`, `"/~`} {
		if at := bytes.Index(seen.Bytes(), []byte(leak)); at >= 0 {
			t.Errorf("%q is on the wire: %.200q", leak, seen.Bytes()[at:])
		}
	}
}

func TestCompression(t *testing.T) {
	h := newHouse(t, nil, nil)
	h.update(h.p, func(tx *profile.Tx) { _ = nick.Set(tx, strings.Repeat("again ", 2000)) })
	var mu sync.Mutex
	var seen bytes.Buffer
	dialer := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, addr)
		return tap{conn, &mu, &seen}, err
	}}}
	c, r, err := h.dial(&websocket.DialOptions{HTTPClient: dialer, Subprotocols: []string{"holdfast.replica.v1"}, CompressionMode: websocket.CompressionContextTakeover})
	if err != nil {
		t.Fatal(err)
	}
	if got := r.Header.Get("Sec-WebSocket-Extensions"); !strings.Contains(got, "server_no_context_takeover") || !strings.Contains(got, "client_no_context_takeover") {
		t.Errorf("the extensions are %q, want no context takeover", got)
	}
	h.say(c, hello("1", h.token("1")))
	if text := h.hear(c); len(text) < 12000 {
		t.Errorf("the state has %d bytes", len(text))
	}
	mu.Lock()
	defer mu.Unlock()
	if seen.Len() > 2000 {
		t.Errorf("%d bytes came for a state of 12 KB that repeats", seen.Len())
	}
}

func TestChangeOfOneNumberIsSmall(t *testing.T) {
	h := newHouse(t, nil, nil)
	h.update(h.p, func(tx *profile.Tx) {
		for i := range 200 {
			_ = bag.Put(tx, fmt.Sprint("item", i), Item{strings.Repeat("x", 60), i})
		}
	})
	c := h.enter()
	h.update(h.p, func(tx *profile.Tx) { _ = coins.Set(tx, 123_456_789) })
	text := h.hear(c)
	if len(text)+2 >= 100 { // with the head of the WebSocket frame
		t.Errorf("%d bytes: %s", len(text), text)
	}
	if !json.Valid([]byte(text)) {
		t.Errorf("%s is not JSON", text)
	}
}

func TestHandlerOptions(t *testing.T) {
	w := newWorld(t)
	s := w.replicas(w.profiles("a", nil), nil)
	yes := func(context.Context, *http.Request, session.Key, string) error { return nil }
	for _, o := range []*replica.HandlerOptions{{Conns: -1}, {HelloWithin: -1}, {HelloWithin: time.Hour}, {WriteWithin: -1}, {WriteWithin: time.Hour}} {
		if _, err := replica.NewHandler(s, yes, o); !errors.Is(err, replica.ErrOption) {
			t.Errorf("NewHandler(%+v) = %v, want ErrOption", *o, err)
		}
	}
	if _, err := replica.NewHandler(s, nil, nil); !errors.Is(err, replica.ErrOption) {
		t.Errorf("NewHandler without an Authorize = %v, want ErrOption", err)
	}
}

// TestCloseCutsWhoIsBeingSentAway closes a handler while a client that was not let in
// does not answer to that.
func TestCloseCutsWhoIsBeingSentAway(t *testing.T) {
	h := newHouse(t, nil, nil)
	conn, err := net.Dial("tcp", h.http.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, _ = fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"+
		"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: holdfast.replica.v1\r\n\r\n")
	r := bufio.NewReader(conn)
	if r, err := http.ReadResponse(r, nil); err != nil || r.StatusCode != 101 {
		t.Fatalf("handshake: %v, %v", r, err)
	}
	text := hello("1", "no token")
	_, _ = conn.Write(append([]byte{0x81, 0x80 | byte(len(text)), 0, 0, 0, 0}, text...))
	if _, err := r.ReadByte(); err != nil { // it is being sent away
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	began := time.Now()
	if err := h.handler.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Close = %v, want the context's error", err)
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("Close took %v, want what the context gives it", took)
	}
}
