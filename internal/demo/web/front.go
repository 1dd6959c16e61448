package web

import (
	"context"
	"crypto/ed25519"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/holdfast-games/holdfast/sdk/typescript"
)

//go:embed page
var pageFiles embed.FS

// front is the one address of the game.
type front struct {
	o        *Options
	children []*child

	mu   sync.Mutex             // guards ears
	ears map[chan struct{}]bool // levels: something has changed
}

// Run serves the game until ctx ends. Then the game servers save and release everybody,
// and it returns. The error is ErrOption if the game is not possible, or why it ended.
func Run(ctx context.Context, o *Options) error {
	with, err := o.withDefaults()
	if err != nil {
		return err
	}
	if with.DB == "" {
		dir, err := os.MkdirTemp("", "holdfast-game-")
		if err != nil {
			return fmt.Errorf("make a folder for the database: %w", err)
		}
		defer os.RemoveAll(dir)
		with.DB = "sqlite://" + filepath.ToSlash(filepath.Join(dir, "game.db"))
	}
	l, err := net.Listen("tcp", with.Address)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrOption, err)
	}
	defer l.Close()
	drv, err := with.Open(ctx, with.DB)
	if err != nil {
		return err
	}
	login, err := newLogins(ctx, drv)
	if err != nil {
		return err
	}
	f := &front{o: &with, ears: make(map[chan struct{}]bool)}
	return f.run(ctx, l, login)
}

// run starts the game servers and serves pages.
func (f *front) run(ctx context.Context, l net.Listener, login *logins) error {
	shop, err := newShop(login, f)
	if err != nil {
		return err
	}
	for _, name := range servers {
		f.children = append(f.children, &child{name: name, o: f.o, changed: f.tell, state: starting, since: time.Now(), with: setup{
			Name: name, DB: f.o.DB, Bus: f.o.Bus, Lease: f.o.Lease.Microseconds(),
			Login: login.signer.Public().(ed25519.PublicKey), Secret: shop.secret,
		}})
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var all sync.WaitGroup
	errs := make([]error, len(f.children))
	for i, c := range f.children {
		all.Go(func() { errs[i] = c.keep(ctx) })
	}
	// The handlers' context ends with ctx, so that those who listen for news are gone.
	hs := &http.Server{Handler: f.handler(l, login, shop), ReadHeaderTimeout: 10 * time.Second, BaseContext: func(net.Listener) context.Context { return ctx }}
	all.Go(func() {
		if err := hs.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			cancel(err)
		}
	})
	if f.o.Ready != nil {
		f.o.Ready("http://" + l.Addr().String())
	}
	<-ctx.Done()
	err = hs.Close()
	all.Wait()
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		err = errors.Join(err, cause)
	}
	return errors.Join(append(errs, err)...)
}

// handler returns what answers pages.
func (f *front) handler(l net.Listener, login *logins, shop *shop) http.Handler {
	files, client := folder(pageFiles, "page"), folder(typescript.Module, "dist")
	mux := http.NewServeMux()
	mux.Handle("GET /", http.FileServerFS(files))
	mux.Handle("GET /replica/", http.StripPrefix("/replica/", http.FileServerFS(client)))
	mux.HandleFunc("GET /api/events", f.events)
	mux.HandleFunc("POST /api/heroes", login.newHero)
	mux.HandleFunc("POST /api/token", login.token)
	mux.HandleFunc("POST /api/shop", shop.buy)
	mux.HandleFunc("POST /api/kill/{server}", f.kill)
	for _, c := range f.children {
		mux.Handle("GET /s/"+c.name+"/", http.StripPrefix("/s/"+c.name, c))
	}
	return guard(l, http.NewCrossOriginProtection().Handler(mux))
}

// folder returns a folder that is in the program.
func folder(in fs.FS, name string) fs.FS {
	sub, err := fs.Sub(in, name)
	if err != nil {
		panic(err) // the name is none
	}
	return sub
}

// guard lets pages load nothing but what is here, and, if only this machine can reach
// the game, refuses names that are not this machine's: a page elsewhere could have its
// own name lead here.
func guard(l net.Listener, next http.Handler) http.Handler {
	at, err := netip.ParseAddrPort(l.Addr().String())
	local := err == nil && at.Addr().IsLoopback()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if local && !isLocal(r.Host) {
			http.Error(w, "This game is for this machine only.", http.StatusMisdirectedRequest)
			return
		}
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-cache")
		next.ServeHTTP(w, r)
	})
}

func isLocal(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = hostport
	}
	a, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return host == "localhost" || err == nil && a.IsLoopback()
}

// kill kills a game server.
func (f *front) kill(w http.ResponseWriter, r *http.Request) {
	for _, c := range f.children {
		if c.name != r.PathValue("server") {
			continue
		}
		if err := c.kill(); err != nil {
			http.Error(w, err.Error(), http.StatusConflict)
			return
		}
		f.tell("kill -9 " + c.name)
		w.WriteHeader(http.StatusNoContent)
		return
	}
	http.Error(w, "There is no such server.", http.StatusNotFound)
}

// errNobody means that no game server is there.
var errNobody = errors.New("no game server is there")

// anyServer returns the address of one of the game servers that are there.
func (f *front) anyServer(nr int) (string, error) {
	for i := range f.children {
		if at := f.children[(nr+i)%len(f.children)].where(); at != "" {
			return at, nil
		}
	}
	return "", errNobody
}

// tell tells pages, and the log, that something has happened. It does not block.
func (f *front) tell(news string) {
	fmt.Fprintf(f.o.Log, "%s %s\n", time.Now().Format(time.TimeOnly), news)
	f.mu.Lock()
	defer f.mu.Unlock()
	for ear := range f.ears {
		select {
		case ear <- struct{}{}:
		default:
		}
	}
}

// event is what pages are told of the game servers.
type event struct {
	Servers []status `json:"servers"`
}

// events tells a page of the game servers, now and whenever something changes, as
// server-sent events.
func (f *front) events(w http.ResponseWriter, r *http.Request) {
	ear := make(chan struct{}, 1)
	f.mu.Lock()
	f.ears[ear] = true
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		delete(f.ears, ear)
		f.mu.Unlock()
	}()
	w.Header().Set("Content-Type", "text/event-stream")
	again := time.NewTicker(2 * time.Second)
	defer again.Stop()
	rc := http.NewResponseController(w)
	for {
		var e event
		for _, c := range f.children {
			e.Servers = append(e.Servers, c.status())
		}
		text, err := json.Marshal(e)
		if err != nil {
			return
		}
		if _, err := fmt.Fprintf(w, "data: %s\n\n", text); err != nil || rc.Flush() != nil {
			return
		}
		select {
		case <-ear:
		case <-again.C:
		case <-r.Context().Done():
			return
		}
	}
}
