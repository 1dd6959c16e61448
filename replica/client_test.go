package replica_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"github.com/holdfast-games/holdfast/replica"
)

// scripted is a client of a server that does with each connection what serve does, once
// it has heard the hello, and then closes.
func scripted(t *testing.T, o *replica.ClientOptions, serve func(c *websocket.Conn, hello string)) *replica.Client {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{"holdfast.replica.v1"}})
		if err != nil {
			return // the client has gone
		}
		defer func() { _ = c.CloseNow() }()
		if _, text, err := c.Read(r.Context()); err == nil {
			serve(c, string(text))
		}
	}))
	t.Cleanup(func() {
		s.Close()
		http.DefaultClient.CloseIdleConnections()
	})
	if o == nil {
		o = &replica.ClientOptions{}
	}
	o.FirstPause, o.LongestPause = time.Millisecond, 10*time.Millisecond
	c, err := replica.Dial(s.URL, "1", o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// ends waits for the end of a client.
func ends(t *testing.T, c *replica.Client) {
	t.Helper()
	select {
	case <-c.Done():
	case <-time.After(10 * time.Second):
		t.Fatal("the client goes on")
	}
}

func send(c *websocket.Conn, text string) {
	_ = c.Write(context.Background(), websocket.MessageText, []byte(text)) // a client that has gone is seen elsewhere
}

func TestClosesOfLaterVersionsAreTheirWord(t *testing.T) {
	for _, tt := range []struct {
		code   websocket.StatusCode
		reason string
		want   replica.EndedError
	}{
		{4042, "banned: until May", replica.EndedError{Reason: "banned", Final: true, Detail: "until May"}},
		{4099, "moved", replica.EndedError{Reason: replica.Moved, Final: true}},
		{4050, "", replica.EndedError{Reason: "4050", Final: true}},
		{4001, "version: this server speaks v2", replica.EndedError{Reason: replica.OtherWire, Final: true, Detail: "this server speaks v2"}},
		{4000, "go away", replica.EndedError{Reason: replica.Malformed, Final: true, Detail: "go away"}},
		{websocket.StatusMessageTooBig, "read limited at 8192 bytes", replica.EndedError{Reason: replica.Malformed, Final: true, Detail: "read limited at 8192 bytes"}},
	} {
		c := scripted(t, nil, func(c *websocket.Conn, _ string) { _ = c.Close(tt.code, tt.reason) })
		ends(t, c)
		ended, ok := errors.AsType[*replica.EndedError](c.Err())
		if !ok || *ended != tt.want {
			t.Errorf("closed with %d %q, the client ends with %#v, want %#v", tt.code, tt.reason, c.Err(), tt.want)
		}
	}
}

func TestClosesThatAreNotFinalAreNoneInLaterVersionsEither(t *testing.T) {
	codes := []websocket.StatusCode{4150, 4300, 3000, 4107}
	n := 0
	c := scripted(t, nil, func(c *websocket.Conn, _ string) {
		if n++; n <= len(codes) {
			_ = c.Close(codes[n-1], "forbidden: this word says nothing here")
			return
		}
		_ = c.Close(4003, "erased")
	})
	ends(t, c)
	if ended, ok := errors.AsType[*replica.EndedError](c.Err()); !ok || ended.Reason != replica.Erased {
		t.Errorf("the client ends with %v, want only at erased", c.Err())
	}
}

func TestAfterAFrameThatIsTooLargeTheClientHasNoPosition(t *testing.T) {
	hellos := make(chan string, 2)
	n := 0
	c := scripted(t, &replica.ClientOptions{MaxFrame: 8 << 10}, func(c *websocket.Conn, hello string) {
		hellos <- hello
		if n++; n == 2 {
			_ = c.Close(4003, "erased")
			return
		}
		send(c, `{"type":"state","epoch":"E","rev":7,"ping":1000,"fields":{"coins":7}}`)
		send(c, fmt.Sprintf(`{"type":"change","rev":8,"ops":[{"op":"add","path":"/nick","value":%q}]}`, strings.Repeat("x", 8<<10)))
		_, _, _ = c.Read(context.Background()) // the client closes
	})
	ends(t, c)
	<-hellos
	var second struct{ Epoch string }
	if err := json.Unmarshal([]byte(<-hellos), &second); err != nil || second.Epoch != "" {
		t.Errorf("the second hello has the epoch %q (%v), want none", second.Epoch, err)
	}
	if got, _ := c.Replica().JSON("coins"); string(got) != "7" {
		t.Errorf("coins = %s, want what was there", got)
	}
}

func TestTimeUntilAConnectionIsOpenDoesNotCountAsStanding(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var pauses []time.Duration
		left := time.Now()
		done := make(chan struct{})
		c, err := replica.Dial("ws://game.invalid", "1", &replica.ClientOptions{Token: func(context.Context) (string, error) {
			pauses = append(pauses, time.Since(left))
			if len(pauses) == 8 {
				close(done)
			}
			time.Sleep(19 * time.Second) // as a server that does not answer
			left = time.Now()
			return "", errors.New("nobody knows")
		}})
		if err != nil {
			t.Fatal(err)
		}
		<-done
		for n, pause := range pauses[1:] {
			want := min(250*time.Millisecond<<n, 15*time.Second)
			if pause < want/2 || pause > want {
				t.Errorf("pause %d is %v, want from half to the whole of %v", n+1, pause, want)
			}
		}
		c.Close()
	})
}
