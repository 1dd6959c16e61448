package web

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"
	"golang.org/x/time/rate"

	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/session"
)

const (
	helloWithin = 10 * time.Second
	writeWithin = 10 * time.Second
	// openWithin bounds the opening of a profile: taking it over from a server that was
	// killed takes as long as its lease lasts, and a slow machine longer.
	openWithin = time.Minute
	// comeBack is how long a hero stays on the server after his page has gone: it may
	// just be loaded anew.
	comeBack  = 5 * time.Second
	maxDeed   = 2048 // bytes
	maxQueued = 256  // messages to a page that does not read
	maxDeeds  = 16   // that wait to be done
)

// visit is the connection of one page, with the hero's profile. Three goroutines work
// for it: one reads, one does the deeds, in order, and one writes.
type visit struct {
	r     *realm
	ws    *websocket.Conn
	id    string
	p     *profile.Profile
	out   chan []byte
	deeds chan deed
	stop  func() // ends the listening to the profile

	ending   sync.Once
	finished chan struct{} // closed when nothing more is to be told

	mu     sync.Mutex // guards offers
	offers map[string]offer
}

// play serves the connection of one page until that ends, or ctx does.
func (r *realm) play(ctx context.Context, w http.ResponseWriter, q *http.Request) {
	ws, err := websocket.Accept(w, q, nil)
	if err != nil {
		return // it was answered
	}
	ws.SetReadLimit(maxDeed)
	r.all.Add(1)
	defer r.all.Done()
	v := &visit{r: r, ws: ws, out: make(chan []byte, maxQueued), deeds: make(chan deed, maxDeeds), finished: make(chan struct{}), offers: make(map[string]offer)}
	var written sync.WaitGroup
	written.Go(v.write)
	stop := context.AfterFunc(ctx, func() { v.finish("closed: the server is closing") })
	defer stop()
	switch err := v.run(ctx, q); {
	case errors.Is(err, errQuiet):
		v.finish("")
	default:
		text, all := say(err)
		if !all {
			r.log.Warn("a visit has ended", "hero", v.id, "err", err)
		}
		v.finish(text)
	}
	written.Wait()
}

// finish ends the visit: the page is told why, if there is a reason, and nothing more.
func (v *visit) finish(why string) {
	v.ending.Do(func() {
		if why != "" {
			v.tell(&telling{Gone: why})
		}
		close(v.finished)
	})
}

// write writes what the page is told, until the visit is finished.
func (v *visit) write() {
	defer func() { _ = v.ws.Close(websocket.StatusNormalClosure, "") }()
	for {
		select {
		case text := <-v.out:
			if v.writeOne(text) != nil {
				return // reading ends too
			}
		case <-v.finished:
			for len(v.out) > 0 && v.writeOne(<-v.out) == nil {
			}
			return
		}
	}
}

func (v *visit) writeOne(text []byte) error {
	ctx, cancel := context.WithTimeout(context.Background(), writeWithin)
	defer cancel()
	return v.ws.Write(ctx, websocket.MessageText, text)
}

// send tells the page something that is encoded already. A page that does not read
// loses its connection, and nothing of its hero's.
func (v *visit) send(text []byte) {
	select {
	case v.out <- text:
	default:
		go func() { _ = v.ws.CloseNow() }()
	}
}

// errQuiet ends a visit without a word: the page has gone by itself.
var errQuiet = errors.New("the page has gone")

// run lets the hero in, and does what his page asks for until it goes.
func (v *visit) run(ctx context.Context, q *http.Request) error {
	d, err := v.hello(ctx, q)
	if err != nil {
		return err
	}
	if err := v.open(ctx, d); err != nil {
		return err
	}
	defer v.leave(ctx)
	working, cancel := context.WithCancel(ctx)
	var work sync.WaitGroup
	work.Go(func() { v.work(working) })
	work.Go(func() { v.watchEnd(working) })
	err = v.read(ctx)
	cancel()
	work.Wait()
	return err
}

// farewell says why a hero is not here any more.
func farewell(e profile.End) string {
	switch e.Reason {
	case profile.HandedOver:
		return "moved: another server has the hero now"
	case profile.Lost:
		return "lost: another server has taken the hero over"
	}
	return "closed: the server has let the hero go"
}

// hello reads the first message, and checks that this page may have this hero.
func (v *visit) hello(ctx context.Context, q *http.Request) (d deed, err error) {
	ctx, cancel := context.WithTimeout(ctx, helloWithin)
	defer cancel()
	if d, err = v.next(ctx); err != nil {
		return d, err
	}
	key := session.Key{Kind: Kind, ID: d.Player}
	if d.Do != "enter" || key.Check() != nil {
		return d, refuse("the first message has to be enter, with a player's id")
	}
	if err := v.r.authorize(ctx, q, key, d.Token); err != nil {
		return d, err
	}
	if d.Name = strings.TrimSpace(d.Name); d.Name == "" || len(d.Name) > maxName || d.Look < 0 || d.Look > maxLook {
		return d, refuse("a hero has a name of 1 to %d bytes, and a look from 0 to %d", maxName, maxLook)
	}
	v.id = d.Player
	return d, nil
}

// next reads one message.
func (v *visit) next(ctx context.Context) (d deed, err error) {
	kind, text, err := v.ws.Read(ctx)
	switch {
	case ctx.Err() != nil:
		return d, context.Cause(ctx)
	case websocket.CloseStatus(err) == websocket.StatusMessageTooBig || errors.Is(err, websocket.ErrMessageTooBig):
		return d, refuse("a message has at most %d bytes", maxDeed)
	case err != nil:
		return d, errQuiet
	case kind != websocket.MessageText || json.Unmarshal(text, &d) != nil:
		return d, refuse("that message is none of this game's")
	}
	return d, nil
}

// open opens the hero's profile, which is with another server perhaps, and puts him on
// the isle.
func (v *visit) open(ctx context.Context, d deed) error {
	began, held := time.Now(), ""
	within, cancel := context.WithTimeout(ctx, openWithin)
	defer cancel()
	p, err := v.r.srv.Open(within, v.id, &profile.OpenOptions{Waiting: func(h session.Holder) {
		held = h.Server
		v.tell(&telling{Waiting: &waiting{Server: h.Server, Within: max(0, time.Until(h.Expires).Milliseconds())}})
	}})
	if err != nil {
		return err
	}
	took := time.Since(began)
	v.p = p
	fresh := p.Fresh() && name.Get(p) == ""
	if name.Get(p) != d.Name || look.Get(p) != d.Look {
		err := p.Update(func(tx *profile.Tx) error {
			if err := name.Set(tx, d.Name); err != nil {
				return err
			}
			return look.Set(tx, d.Look)
		}, profile.Durable(ctx))
		if err != nil {
			return err
		}
	}
	v.r.admit(v)
	x, y := v.r.room.enter(figure(p), d.From != "" && d.From != v.r.name)
	v.stop = v.listen()
	v.tell(&telling{Welcome: &welcome{
		Server: v.r.name, You: v.id, X: x, Y: y, Isle: v.r.room.isle, Wares: wares, Products: products, Deals: deals,
		Took: took.Milliseconds(), Held: held, Revision: p.Revision(), Fresh: fresh,
	}, Slots: slots(p), Folk: v.r.folk.list()})
	return nil
}

// admit makes a visit known. One hero has one page: a second one takes his place.
func (r *realm) admit(v *visit) {
	r.mu.Lock()
	before := r.visits[v.id]
	r.visits[v.id] = v
	r.mu.Unlock()
	if before != nil {
		before.finish("elsewhere: this hero plays in another window now")
	}
}

// listen has the page told of what happens to the profile by itself, and everybody of
// how the hero looks, until stop is called.
func (v *visit) listen() (stop func()) {
	stopChanges := v.p.OnChange(func(c profile.Change) {
		switch c.Field.Name() {
		case name.Name(), look.Name(), worn.Name():
			a := figure(v.p)
			v.r.room.dress(a.ID, a.Name, a.Look, a.Worn)
		}
	})
	stopSaves := v.p.OnSaved(v.noteSave)
	stopSlots := v.p.OnSlot(func(profile.SlotSwitch) { v.tell(&telling{Slots: slots(v.p)}) })
	return func() { stopChanges(); stopSaves(); stopSlots() }
}

// figure is how a hero looks to others.
func figure(p *profile.Profile) avatar {
	a := avatar{ID: p.ID(), Worn: make(map[string]string)}
	p.View(func(r profile.Reader) {
		a.Name, a.Look = name.Get(r), look.Get(r)
		for _, place := range worn.Names() {
			if e, ok := worn.At(r, place); ok {
				a.Worn[place] = e.Item
			}
		}
	})
	return a
}

// read reads messages until the page goes. Steps are taken at once, deeds in order.
func (v *visit) read(ctx context.Context) error {
	limit := rate.NewLimiter(60, 120)
	for {
		d, err := v.next(ctx)
		if err != nil {
			return err
		}
		if !limit.Allow() {
			return refuse("too many messages: at most 60 a second")
		}
		if d.Do == "at" {
			if at, ok := v.r.room.walk(v.id, d.X, d.Y); !ok {
				v.tell(&telling{Back: &at})
			}
			continue
		}
		select {
		case v.deeds <- d:
		default:
			v.answer(answer{Nr: d.Nr, Error: "one thing after another: too many wait already"})
		}
	}
}

// work does the deeds, one after another.
func (v *visit) work(ctx context.Context) {
	for {
		select {
		case d := <-v.deeds:
			v.answer(v.do(ctx, d))
		case <-ctx.Done():
			return
		}
	}
}

// watchEnd ends the visit when the profile ends: another server has the hero.
func (v *visit) watchEnd(ctx context.Context) {
	select {
	case <-v.p.Done():
		end, _ := v.p.Ended()
		v.finish(farewell(end))
	case <-ctx.Done():
	}
}

// leave takes the hero from the isle, and lets him go if his page does not come back.
func (v *visit) leave(ctx context.Context) {
	v.stop()
	v.r.mu.Lock()
	last := v.r.visits[v.id] == v
	if last {
		delete(v.r.visits, v.id)
		v.r.room.leave(v.id)
	}
	v.r.mu.Unlock()
	if !last {
		return
	}
	v.r.all.Go(func() { v.r.release(ctx, v.id) })
}

// release saves and releases a hero whose page stays away.
func (r *realm) release(ctx context.Context, id string) {
	p, ok := r.srv.Opened(id)
	if !ok {
		return
	}
	select {
	case <-time.After(comeBack):
	case <-p.Done():
		return
	case <-ctx.Done():
		return // closing releases everybody
	}
	if r.visitOf(id) != nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTime)
	defer cancel()
	if err := r.srv.Leave(ctx, id); err != nil {
		r.log.Warn("a hero who has left is not released yet", "hero", id, "err", err)
	}
}

// tell tells the page something.
func (v *visit) tell(t *telling) { v.send(encode(t)) }

func (v *visit) answer(a answer) { v.tell(&telling{Answer: &a}) }
