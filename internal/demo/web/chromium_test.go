package web

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

const (
	chromiumVariable = "HOLDFAST_CHROMIUM"      // names the browser
	needVariable     = "HOLDFAST_NEED_CHROMIUM" // set: a test without a browser fails
	picturesVariable = "HOLDFAST_PICTURES"      // names the folder for pictures of the run
)

// findChromium returns the browser's path, or ends the test.
func findChromium(t *testing.T) string {
	t.Helper()
	names := []string{"chromium", "chromium-browser", "google-chrome"}
	if name := os.Getenv(chromiumVariable); name != "" {
		names = []string{name}
	}
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	text := fmt.Sprintf("there is no browser: none of %s is in PATH (on Debian: apt-get install chromium), or say where it is with %s", strings.Join(names, ", "), chromiumVariable)
	if os.Getenv(needVariable) != "" {
		t.Fatal(text)
	}
	t.Skip(text)
	return ""
}

// browser is a browser without a window.
type browser struct {
	ctx      context.Context
	pictures string // folder
	count    int
}

func startBrowser(t *testing.T) *browser {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(findChromium(t)), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.Flag("force-color-profile", "srgb"))
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("start the browser: %v", err)
	}
	b := &browser{ctx: ctx, pictures: os.Getenv(picturesVariable)}
	if b.pictures == "" {
		b.pictures = t.TempDir()
	}
	if err := os.MkdirAll(b.pictures, 0o777); err != nil {
		t.Fatal(err)
	}
	return b
}

// screen is the size of a device.
type screen struct {
	width, height int64
	touch         bool
}

var (
	desktop = screen{1280, 800, false}
	phone   = screen{390, 844, true}
)

// tab is a page that a player looks at.
type tab struct {
	t    *testing.T
	b    *browser
	ctx  context.Context
	name string
}

// open opens a page of its own, with a storage of its own.
func (b *browser) open(t *testing.T, name, url string, s screen) *tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(b.ctx, chromedp.WithNewBrowserContext())
	t.Cleanup(cancel)
	p := &tab{t: t, b: b, ctx: ctx, name: name}
	p.must("start", chromedp.Do(ctx)) // the tab lives as long as this context
	p.must("listen", chromedp.Listen(ctx, func(ev any) {
		if e, ok := ev.(*runtime.EventExceptionThrown); ok {
			t.Errorf("%s: the page has an error: %s", name, exception(e.ExceptionDetails))
		}
	}))
	view := chromedp.EmulateViewport(s.width, s.height)
	if s.touch {
		view = chromedp.EmulateViewport(s.width, s.height, chromedp.EmulateMobile, chromedp.EmulateTouch)
	}
	p.run("open "+url, view, chromedp.Navigate(url))
	return p
}

func (p *tab) must(what string, err error) {
	p.t.Helper()
	if err != nil {
		p.shoot("failed")
		p.t.Fatalf("%s: %s: %v", p.name, what, err)
	}
}

// run does something in the page.
func (p *tab) run(what string, steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	p.must(what, chromedp.Do(ctx, steps...))
}

// click clicks an element, as soon as it can be. One that is just replaced by another is
// clicked when that is there.
func (p *tab) click(selector string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	for {
		p.until("there is "+selector, fmt.Sprintf(`(() => { const e = document.querySelector(%q); return e && !e.disabled && e.checkVisibility(); })()`, selector))
		err := chromedp.Do(ctx, chromedp.Click(chromedp.CSS(selector)))
		if err == nil || !strings.Contains(err.Error(), "Could not find node") {
			p.must("click "+selector, err)
			return
		}
	}
}

// eval returns what an expression in the page is.
func eval[T any](p *tab, expression string) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression))
	p.must(expression, err)
	return v
}

// until waits until an expression in the page is true.
func (p *tab) until(what, expression string) {
	p.t.Helper()
	for give := time.Now().Add(patience); !eval[bool](p, `Boolean(`+expression+`)`); {
		if time.Now().After(give) {
			p.shoot("failed")
			p.t.Fatalf("%s: not so after %v: %s; the panel says\n%s", p.name, patience, what, eval[string](p, `document.getElementById("log").innerText`))
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// shoot keeps a picture of the page.
func (p *tab) shoot(name string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	png, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err == nil {
		p.b.count++
		err = os.WriteFile(filepath.Join(p.b.pictures, fmt.Sprintf("%02d-%s-%s.png", p.b.count, p.name, name)), png, 0o666)
	}
	if err != nil {
		p.t.Errorf("%s: a picture of %s: %v", p.name, name, err)
	}
}

// exception says what went wrong in a page.
func exception(e *runtime.ExceptionDetails) string {
	if e.Exception != nil && e.Exception.Description != "" {
		return e.Exception.Description
	}
	return e.Text
}
