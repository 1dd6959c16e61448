package web

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// ask sends a request to the front, and returns the answer.
func ask(t *testing.T, method, url, body string, header ...string) (code int, text string) {
	t.Helper()
	q, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		if q.Header.Set(header[i], header[i+1]); header[i] == "Host" {
			q.Host = header[i+1]
		}
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	a, err := client.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	b, err := io.ReadAll(a.Body)
	if err != nil {
		t.Fatal(err)
	}
	return a.StatusCode, string(b)
}

// newLogin returns a new hero's login, with a token.
func newLogin(t *testing.T, game string) (l login) {
	t.Helper()
	for _, path := range []string{"/api/heroes", "/api/token"} {
		body, err := json.Marshal(l)
		if err != nil {
			t.Fatal(err)
		}
		key := l.Key
		code, text := ask(t, http.MethodPost, game+path, string(body))
		if err := json.Unmarshal([]byte(text), &l); err != nil || code != http.StatusOK {
			t.Fatalf("%s = %d %q", path, code, text)
		}
		if key != "" {
			l.Key = key
		}
	}
	return l
}

// player is a page without a browser.
type player struct {
	t  *testing.T
	ws *websocket.Conn
}

// join connects to a game server. It tries until that is there.
func join(t *testing.T, game string, first string) *player {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		ws, _, err := websocket.Dial(ctx, game+"/s/amber/play", nil)
		if err == nil {
			ws.SetReadLimit(1 << 20)
			t.Cleanup(func() { _ = ws.CloseNow() })
			p := &player{t, ws}
			p.say(first)
			return p
		}
		if ctx.Err() != nil {
			t.Fatalf("join: %v", err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func (p *player) say(text string) {
	p.t.Helper()
	if err := p.ws.Write(p.t.Context(), websocket.MessageText, []byte(text)); err != nil {
		p.t.Fatalf("say %.80s: %v", text, err)
	}
}

// hear returns the first thing that is told and is as asked for.
func (p *player) hear(is func(*telling) bool) *telling {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	for {
		_, text, err := p.ws.Read(ctx)
		if err != nil {
			p.t.Fatalf("hear: %v", err)
		}
		var m telling
		if err := json.Unmarshal(text, &m); err != nil {
			p.t.Fatalf("hear %.200s: %v", text, err)
		}
		if is(&m) {
			return &m
		}
	}
}

func enter(l login) string {
	return fmt.Sprintf(`{"do":"enter","player":%q,"token":%q,"name":"Eve","look":1}`, l.ID, l.Token)
}

// TestRefusesPages is about what the front and a game server are sent and do not take.
func TestRefusesPages(t *testing.T) {
	game := startGame(t)
	eve, other := newLogin(t, game), newLogin(t, game)
	mine, err := json.Marshal(login{ID: eve.ID, Key: eve.Key})
	if err != nil {
		t.Fatal(err)
	}
	stolen := fmt.Sprintf(`{"id":%q,"key":%q}`, other.ID, eve.Key)
	for name, c := range map[string]struct {
		method, path, body string
		header             []string
		code               int
	}{
		"TokenWithAnothersKey":     {"POST", "/api/token", stolen, nil, 403},
		"TokenForWhatIsNoJSON":     {"POST", "/api/token", "hello", nil, 400},
		"TokenWithAnUnknownMember": {"POST", "/api/token", `{"id":"a","admin":true}`, nil, 400},
		"TokenTooLarge":            {"POST", "/api/token", `{"id":"` + strings.Repeat("a", 5000) + `"}`, nil, 400},
		"ShopWithAnothersKey":      {"POST", "/api/shop", fmt.Sprintf(`{"id":%q,"key":%q,"product":"dragon","order":"1"}`, other.ID, eve.Key), nil, 403},
		"ShopWithoutAnOrder":       {"POST", "/api/shop", fmt.Sprintf(`{"id":%q,"key":%q,"product":"dragon"}`, eve.ID, eve.Key), nil, 400},
		"ShopOfAnUnknownProduct":   {"POST", "/api/shop", fmt.Sprintf(`{"id":%q,"key":%q,"product":"moon","order":"1"}`, eve.ID, eve.Key), nil, 400},
		"KillOfAnUnknownServer":    {"POST", "/api/kill/oak", "", nil, 404},
		"KillByAReader":            {"GET", "/api/kill/amber", "", nil, 404},
		"KillFromAnotherPage":      {"POST", "/api/kill/amber", "", []string{"Origin", "http://evil.example"}, 403},
		"AnotherName":              {"GET", "/", "", []string{"Host", "evil.example"}, 421},
		"PurchasesFromOutside":     {"POST", "/s/amber/purchases", "{}", nil, 405},
		"NoSuchFile":               {"GET", "/../front.go", "", nil, 404},
		"Login":                    {"POST", "/api/token", string(mine), nil, 200},
	} {
		t.Run(name, func(t *testing.T) {
			if code, text := ask(t, c.method, game+c.path, c.body, c.header...); code != c.code {
				t.Errorf("%s %s = %d %.100q, want %d", c.method, c.path, code, text, c.code)
			}
		})
	}
	for name, c := range map[string]struct{ first, want string }{
		"NoJSON":           {"hello", "none of this game's"},
		"AnotherFirstWord": {`{"do":"collect","id":1}`, "has to be enter"},
		"NoToken":          {enter(login{ID: eve.ID}), "not valid"},
		"AnothersToken":    {enter(login{ID: other.ID, Token: eve.Token}), "not valid"},
		"NoID":             {enter(login{Token: eve.Token}), "has to be enter"},
		"NoName":           {strings.Replace(enter(eve), "Eve", "  ", 1), "name of 1 to"},
		"ALongName":        {strings.Replace(enter(eve), "Eve", strings.Repeat("e", 21), 1), "name of 1 to"},
		"TooLarge":         {strings.Replace(enter(eve), "Eve", strings.Repeat("e", 3000), 1), ""},
	} {
		t.Run("Enter"+name, func(t *testing.T) {
			p := join(t, game, c.first)
			if c.want == "" { // the connection is closed with a code that says it
				_, _, err := p.ws.Read(t.Context())
				if code := websocket.CloseStatus(err); code != websocket.StatusMessageTooBig {
					t.Errorf("after a message that is too large: %v, want code 1009", err)
				}
				return
			}
			if m := p.hear(func(m *telling) bool { return true }); !strings.Contains(m.Gone, c.want) {
				t.Errorf("enter = %+v, want gone with %q", m, c.want)
			}
		})
	}
	refusesDeeds(t, game, eve)
}

// refusesDeeds is about what a hero asks for and does not get.
func refusesDeeds(t *testing.T, game string, eve login) {
	p := join(t, game, enter(eve))
	p.hear(func(m *telling) bool { return m.Welcome != nil })
	p.hear(func(m *telling) bool { return len(m.Folk) > 1 }) // the trader and Eve
	for name, c := range map[string]struct{ deed, want string }{
		"Unknown":            {`"do":"fly"`, "no such deed"},
		"CollectFromAfar":    {`"do":"collect","id":99999`, "quicker"},
		"BuyTooDear":         {`"do":"buy","item":"wizard-hat"`, "too dear"},
		"BuyWhatIsNotSold":   {`"do":"buy","item":"fox"`, "not for sale"},
		"WearWhatIsNotThere": {`"do":"wear","key":"crown#x"`, "not in the bag"},
		"UnwearNothing":      {`"do":"unwear","place":"hat"`, "nothing is worn"},
		"UnwearNowhere":      {`"do":"unwear","place":"nose"`, "nothing is worn"},
		"OfferToNobody":      {`"do":"offer","to":"nobody","give":{"coins":1}`, "nobody"},
		"OfferToOneself":     {fmt.Sprintf(`"do":"offer","to":%q,"give":{"coins":1}`, eve.ID), "nobody"},
		"OfferOfNothing":     {`"do":"offer","to":"maple"`, "nothing"},
		"OfferOfLess":        {`"do":"offer","to":"maple","give":{"coins":-5}`, "0 to"},
		"OfferOfTooMuch":     {`"do":"offer","to":"maple","give":{"coins":50}`, "not enough"},
		"OfferTooLow":        {`"do":"offer","to":"maple","give":{"coins":1},"want":{"coins":2}`, "wants more"},
		"OfferOfNoItem":      {`"do":"offer","to":"maple","give":{"item":"moon","n":1}`, "no such item"},
		"ReplyToNothing":     {`"do":"reply","offer":"x","yes":true`, "over"},
		"GiftOfTooMuch":      {`"do":"gift","to":"maple","give":{"coins":50}`, "not enough"},
		"GiftOfOneOfAKind":   {`"do":"gift","to":"maple","give":{"item":"crown","n":1}`, "one of a kind"},
		"GiftWithALongText":  {fmt.Sprintf(`"do":"gift","to":"maple","give":{"coins":1},"text":%q`, strings.Repeat("x", 81)), "at most"},
		"SlotThatIsNone":     {`"do":"slot","slot":"77"`, "no such save slot"},
		"SlotWithoutAName":   {`"do":"newslot","text":" "`, "name of"},
		"DoorFromAfar":       {`"do":"door"`, "too far"},
	} {
		t.Run("Deed"+name, func(t *testing.T) {
			p.say(`{"nr":1,` + c.deed + `}`)
			a := p.hear(func(m *telling) bool { return m.Answer != nil }).Answer
			if !strings.Contains(a.Error, c.want) || a.Revision != 0 {
				t.Errorf("%s = %+v, want an error with %q", c.deed, a, c.want)
			}
		})
	}
	t.Run("StepTooFar", func(t *testing.T) {
		p.say(`{"do":"at","x":100000,"y":5}`)
		if back := p.hear(func(m *telling) bool { return m.Back != nil }).Back; !onIsle(back[0], back[1]) {
			t.Errorf("back = %v, want a place on the isle", back)
		}
	})
	t.Run("TooManyMessages", func(t *testing.T) {
		for range 400 {
			if p.ws.Write(t.Context(), websocket.MessageText, []byte(`{"do":"at","x":800,"y":690}`)) != nil {
				break
			}
		}
		if m := p.hear(func(m *telling) bool { return m.Gone != "" }); !strings.Contains(m.Gone, "too many messages") {
			t.Errorf("gone = %q, want too many messages", m.Gone)
		}
	})
}
