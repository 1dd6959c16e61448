package web

import (
	"bufio"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/holdfast-games/holdfast/bus"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/mailbox"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/receipt"
	"github.com/holdfast-games/holdfast/receipt/webhook"
	"github.com/holdfast-games/holdfast/replica"
	"github.com/holdfast-games/holdfast/session"
	"github.com/holdfast-games/holdfast/store"
)

// ServerOptions are what a game server runs with. What differs from one to another it
// is told by the front. All are required.
type ServerOptions struct {
	Open    func(ctx context.Context, url string) (driver.DB, error)
	OpenBus func(ctx context.Context, url string) (*bus.Bus, error)
	Log     io.Writer // for warnings
}

const (
	// autosave is short, so that there is something to see.
	autosave = 4 * time.Second
	// closeTime bounds the saving and releasing of all heroes.
	closeTime = 20 * time.Second
)

// Serve is a game server: it reads its setup from in, tells out where it serves, and
// serves until in ends, because the front has ended or wants it to. Heroes are saved and
// released then.
func Serve(ctx context.Context, in io.Reader, out io.Writer, o *ServerOptions) error {
	lines := bufio.NewReader(in)
	var with setup
	if line, err := lines.ReadBytes('\n'); err != nil || json.Unmarshal(line, &with) != nil {
		return errors.New("start a server of the game: the first line of its input does not say what it runs with")
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r := &realm{name: with.Name, room: newRoom(with.Name), visits: make(map[string]*visit), folk: newFolk(),
		log: slog.New(slog.NewTextHandler(o.Log, &slog.HandlerOptions{Level: slog.LevelWarn}))}
	if err := r.open(ctx, &with, o); err != nil {
		return fmt.Errorf("start server %q: %w", with.Name, errors.Join(err, r.close()))
	}
	err := r.serve(ctx, lines, out)
	return errors.Join(err, r.close())
}

// realm is a game server at work.
type realm struct {
	name      string
	log       *slog.Logger
	room      *room
	folk      *folk
	bus       *bus.Bus
	srv       *profile.Server
	box       *mailbox.Mailbox
	book      *receipt.Book
	shop      *webhook.Verifier
	authorize replica.Authorize
	shown     *replica.Server
	frames    *replica.Handler
	closers   []func(context.Context) error // in the order of opening
	all       sync.WaitGroup                // of visits and what goes on by itself

	mu     sync.Mutex // guards visits
	visits map[string]*visit
}

// open opens all that a game needs of Holdfast, from the database up.
func (r *realm) open(ctx context.Context, with *setup, o *ServerOptions) error {
	drv, err := o.Open(ctx, with.DB)
	if err != nil {
		return err
	}
	db, err := store.New(drv, &store.Options{Logger: r.log})
	if err != nil {
		return errors.Join(err, drv.Close())
	}
	r.closers = append(r.closers, db.Close)
	if r.bus, err = o.OpenBus(ctx, with.Bus); err != nil {
		return err
	}
	r.closers = append(r.closers, func(context.Context) error { return r.bus.Close() })
	r.srv, err = profile.Open(ctx, db, hero, &profile.Options{
		Session: session.Options{
			Name: with.Name, Lease: time.Duration(with.Lease) * time.Microsecond, Bus: r.bus, Logger: r.log,
		},
		Autosave:    autosave,
		OnLoadError: profile.RefusePlayer,
	})
	if err != nil {
		return err
	}
	r.closers = append(r.closers, func(ctx context.Context) error { _, err := r.srv.Close(ctx); return err })
	return r.openLayers(ctx, with)
}

// openLayers opens what stands on the profiles: gifts, purchases, and what pages see.
func (r *realm) openLayers(ctx context.Context, with *setup) (err error) {
	if r.box, err = mailbox.Open(ctx, r.srv, nil); err != nil {
		return err
	}
	r.closers = append(r.closers, func(context.Context) error { return r.box.Close() })
	if err := gift.Handle(r.box, receive); err != nil {
		return err
	}
	if r.book, err = receipt.New(r.srv, awards, &receipt.Options{Logger: r.log}); err != nil {
		return err
	}
	if r.shop, err = webhook.New([]string{with.Secret}, nil); err != nil {
		return err
	}
	r.authorize = replica.PlayerTokens(ed25519.PublicKey(with.Login))
	if r.shown, err = replica.NewServer(r.srv, &replica.Options{Logger: r.log}); err != nil {
		return err
	}
	r.closers = append(r.closers, func(context.Context) error { r.shown.Close(); return nil })
	if r.frames, err = replica.NewHandler(r.shown, r.authorize, nil); err != nil {
		return err
	}
	r.closers = append(r.closers, r.frames.Close)
	return nil
}

// close closes everything, the last first.
func (r *realm) close() (err error) {
	ctx, cancel := context.WithTimeout(context.Background(), closeTime)
	defer cancel()
	for i := len(r.closers) - 1; i >= 0; i-- {
		err = errors.Join(err, r.closers[i](ctx))
	}
	r.closers = nil
	return err
}

// serve serves pages until in ends.
func (r *realm) serve(ctx context.Context, in io.Reader, out io.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/replica", r.frames)
	mux.HandleFunc("/play", func(w http.ResponseWriter, q *http.Request) { r.play(ctx, w, q) })
	mux.Handle("/purchases", receipt.Handler(r.book, r.shop))
	hs := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	served := make(chan error, 1)
	go func() { served <- hs.Serve(l) }()
	stopListening, err := r.listen()
	if err != nil {
		return errors.Join(err, hs.Close(), <-served)
	}
	r.all.Go(func() { r.tick(ctx) })
	r.all.Go(func() { r.keepTrader(ctx) })
	err = json.NewEncoder(out).Encode(ready{Address: l.Addr().String()})
	if err == nil {
		_, _ = io.Copy(io.Discard, in) // until it ends, however
	}
	cancel()
	stopListening()
	err = errors.Join(err, hs.Close())
	r.all.Wait()
	if e := <-served; !errors.Is(e, http.ErrServerClosed) {
		err = errors.Join(err, e)
	}
	return err
}

// The times between what pages are told by themselves.
const (
	seeEvery    = 80 * time.Millisecond
	folkEvery   = time.Second
	insideEvery = 400 * time.Millisecond
)

// tick tells pages what is to be seen, and other servers who is here, until ctx ends.
func (r *realm) tick(ctx context.Context) {
	see, tell, look := time.NewTicker(seeEvery), time.NewTicker(folkEvery), time.NewTicker(insideEvery)
	defer see.Stop()
	defer tell.Stop()
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-see.C:
			r.tellAll(&telling{See: r.room.see()})
		case <-tell.C:
			r.announce(ctx)
			r.tellAll(&telling{Folk: r.folk.list()})
		case <-look.C:
			for _, v := range r.present() {
				v.look(ctx)
			}
		}
	}
}

// tellAll tells all pages the same.
func (r *realm) tellAll(t *telling) {
	text := encode(t)
	for _, v := range r.present() {
		v.send(text)
	}
}

// present returns the visits under way.
func (r *realm) present() []*visit {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := make([]*visit, 0, len(r.visits))
	for _, v := range r.visits {
		list = append(list, v)
	}
	return list
}

// visitOf returns the visit of a hero, or nil.
func (r *realm) visitOf(id string) *visit {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.visits[id]
}
