package replica_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/replica"
)

// secured serves a handler over TLS, with HTTP/2 for those who ask for it, as servers do
// that browsers talk to. It returns a client that trusts it.
func secured(t *testing.T, handler http.Handler) (*httptest.Server, *http.Client) {
	t.Helper()
	s := httptest.NewUnstartedServer(handler)
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	return s, s.Client()
}

// TestOverTLSAndBehindAReverseProxy watches a player in the ways that players do.
func TestOverTLSAndBehindAReverseProxy(t *testing.T) {
	ways := map[string]func(h *house) (*httptest.Server, *http.Client){
		"TLS": func(h *house) (*httptest.Server, *http.Client) { return secured(h.T, h.handler) },
		"AReverseProxyThatEndsTLS": func(h *house) (*httptest.Server, *http.Client) {
			to, err := url.Parse(h.http.URL)
			if err != nil {
				h.Fatal(err)
			}
			return secured(h.T, &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) }})
		},
	}
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, nil, &replica.HandlerOptions{Origins: []string{"https://game.example"}})
			s, trusting := way(h)
			c, err := replica.Dial(s.URL, "1", &replica.ClientOptions{
				Token:      func(context.Context) (string, error) { return h.token("1"), nil },
				HTTP:       trusting,
				FirstPause: time.Millisecond, LongestPause: 100 * time.Millisecond,
			})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			h.awaits(c, "coins", "500")

			long := strings.Repeat("longer than what is written at once ", 2000)
			h.update(h.p, func(tx *profile.Tx) { _, _ = coins.Set(tx, 7), nick.Set(tx, long) })
			h.awaits(c, "coins", "7")
			h.awaits(c, "nick", strconv.Quote(long))

			for origin, want := range map[string]int{"https://evil.example": http.StatusForbidden, "https://game.example": http.StatusSwitchingProtocols} {
				ws, r, _ := websocket.Dial(h.ctx, s.URL, &websocket.DialOptions{
					HTTPClient: trusting, Subprotocols: []string{"holdfast.replica.v1"}, HTTPHeader: http.Header{"Origin": {origin}},
				})
				if r == nil || r.StatusCode != want {
					t.Errorf("from %s: %v, want %d", origin, r, want)
				}
				if ws != nil {
					_ = ws.CloseNow()
				}
			}
		})
	}
}
