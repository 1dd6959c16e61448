package web

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/google/go-cmp/cmp"
)

// belongings is what a hero's page shows of what he owns.
type belongings struct {
	Coins, Gems int
	Bag, Worn   []string
	Letters     int
}

func (p *tab) owns() belongings {
	p.t.Helper()
	return eval[belongings](p, `({ Coins: game.coins(), Gems: game.gems(), Bag: game.bag().map((e) => e.key + "×" + e.n), Worn: game.worn().map((e) => e.key), Letters: game.letters().length })`)
}

// keeps checks that all of what a hero had is still his. He may have picked something up
// on his way.
func (p *tab) keeps(before belongings, through string) {
	p.t.Helper()
	after := p.owns()
	lacks := func(key string) bool { return !slices.Contains(after.Bag, key) && !strings.HasPrefix(key, "mushroom") }
	if after.Coins < before.Coins || after.Gems != before.Gems || after.Letters != before.Letters ||
		!slices.Equal(before.Worn, after.Worn) || slices.ContainsFunc(before.Bag, lacks) {
		p.t.Errorf("%s: %s has changed what the hero owns (-before +after):\n%s", p.name, through, cmp.Diff(before, after))
	}
}

// begin begins a game with a new hero.
func (p *tab) begin(name string) {
	p.t.Helper()
	p.until("the title is there", `globalThis.game && document.getElementById("name")`)
	p.run("say the name", chromedp.SendKeys(chromedp.CSS("#name"), name))
	p.shoot("title")
	p.click("#begin button")
	p.playing("amber")
}

// playing waits until the hero is on a server, with all that he owns.
func (p *tab) playing(server string) {
	p.t.Helper()
	p.until("plays on "+server, fmt.Sprintf(`globalThis.game?.server === %q && !game.world.busy && game.world.isle.name === %q && game.state?.isConnected`, server, server))
}

func (p *tab) id() string { return eval[string](p, `game.hero.id`) }

// collect walks to what lies about until the hero has so many coins.
func (p *tab) collect(coins int) {
	p.t.Helper()
	p.until(fmt.Sprintf("has %d coins", coins), fmt.Sprintf(`(() => {
		const w = game.world, far = (t) => Math.hypot(t.x - w.me.x, t.y - w.me.y);
		if (game.coins() >= %d) return true;
		const next = w.treasures.filter((t) => !t.item).sort((a, b) => far(a) - far(b))[0];
		if (next) w.walkTo(next.x, next.y);
	})()`, coins))
}

// TestPlay plays the game in a browser, on a desktop and on a phone.
func TestPlay(t *testing.T) {
	b, url := startBrowser(t), startGame(t)
	var ann, bob *tab
	for _, step := range []struct {
		name string
		do   func()
	}{
		{"title", func() { ann = b.open(t, "desktop", url, desktop) }},
		{"begin", func() { ann.begin("Ann") }},
		{"walk", func() { walk(ann) }},
		{"begin on the phone", func() { bob = b.open(t, "phone", url, phone); bob.begin("Bob") }},
		{"buy", func() { buy(ann) }},
		{"trade", func() { swap(ann, bob) }},
		{"save slots", func() { saveSlot(bob) }},
		{"hop", func() { hop(bob) }},
		{"gift", func() { give(ann, bob) }},
		{"trade between servers", func() { swapFar(ann, bob) }},
		{"reload", func() { reload(ann) }},
		{"kill", func() { kill(ann, bob) }},
	} {
		began := time.Now()
		step.do()
		t.Logf("%s: %v", step.name, time.Since(began).Round(time.Millisecond))
	}
}

// walk walks by the keyboard, and collects.
func walk(p *tab) {
	x := eval[float64](p, `game.world.me.x`)
	p.until("walks by the keyboard", fmt.Sprintf(`(dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight" })), game.world.me.x > %f + 40)`, x))
	p.until("stops", `(dispatchEvent(new KeyboardEvent("keyup", { key: "ArrowRight" })), true)`)
	p.collect(12)
	p.shoot("walks")
}

// buy buys a hat for coins, puts it on, and buys gems for money.
func buy(p *tab) {
	p.click("#b-stall")
	p.click(`[data-buy="straw-hat"]`)
	p.until("has a hat", `game.bag().some((e) => e.item === "straw-hat")`)
	p.click(`[data-product="gems.100"]`)
	p.until("has gems", `game.gems() === 100`)
	p.until("was told twice", `[...document.querySelectorAll("#log li")].some((l) => /told 2×/.test(l.textContent))`)
	p.shoot("stall")
	p.click("#dialog .x")
	p.click("#b-bag")
	p.click(`[data-item="straw-hat"]`)
	p.until("wears the hat", `game.worn().some((e) => e.item === "straw-hat") && game.bag().length === game.bag().filter((e) => e.item !== "straw-hat").length`)
	p.shoot("bag")
	p.click("#dialog .x")
	if got := p.owns().Gems; got != 100 {
		p.t.Errorf("gems = %d after a purchase that was told twice, want 100", got)
	}
}

// swap trades: Ann gets a hat of Bob's for a coin.
func swap(ann, bob *tab) {
	bob.click("#b-stall")
	bob.click(`[data-buy="straw-hat"]`)
	bob.until("has a hat", `game.bag().some((e) => e.item === "straw-hat")`)
	bob.click("#dialog .x")
	before, with := ann.owns(), bob.owns()
	ann.click("#b-trade")
	ann.click(fmt.Sprintf(`[data-trade=%q]`, bob.id()))
	ann.run("say what", chromedp.SetValue(chromedp.CSS(`[name="want-item"]`), "straw-hat"), chromedp.SetValue(chromedp.CSS(`[name="give-coins"]`), "1"))
	ann.shoot("offer")
	ann.click("#makeoffer")
	bob.until("is asked", `document.getElementById("accept")`)
	bob.shoot("asked")
	bob.click("#accept")
	ann.until("has the other hat", `game.bag().some((e) => e.item === "straw-hat")`)
	bob.until("has given it", `!game.bag().some((e) => e.item === "straw-hat")`)
	if a, b := ann.owns().Coins, bob.owns().Coins; a != before.Coins-1 || b != with.Coins+1 {
		ann.t.Errorf("after a trade for a coin, coins = %d and %d, want %d and %d", a, b, before.Coins-1, with.Coins+1)
	}
}

// swapFar trades between two servers: Bob gives Ann a coin for nothing.
func swapFar(ann, bob *tab) {
	before, with := ann.owns().Coins, bob.owns().Coins
	bob.click("#b-trade")
	bob.click(fmt.Sprintf(`[data-trade=%q]`, ann.id()))
	bob.run("say what", chromedp.SetValue(chromedp.CSS(`[name="give-coins"]`), "1"))
	bob.click("#makeoffer")
	ann.click("#accept")
	ann.until("has the coin", fmt.Sprintf(`game.coins() === %d`, before+1))
	bob.until("has given it", fmt.Sprintf(`game.coins() === %d`, with-1))
}

// saveSlot begins a game in another save slot, and goes back to the first.
func saveSlot(p *tab) {
	before := p.owns()
	p.click("#b-slots")
	p.click("#newslot")
	p.until("begins anew", fmt.Sprintf(`game.slots.length === 2 && game.coins() === %d`, startCoins))
	p.shoot("slots")
	p.click(`[data-slot="1"]`)
	p.until("is back", fmt.Sprintf(`game.coins() === %d && game.slots[0].loaded`, before.Coins))
	p.click("#dialog .x")
	p.keeps(before, "another save slot")
}

// hop goes through the door to the other server.
func hop(p *tab) {
	before := p.owns()
	p.click("#b-door")
	p.playing("birch")
	p.until("the door is shut", `document.getElementById("veil").hidden`)
	p.shoot("birch")
	p.keeps(before, "the hop")
}

// give sends a gift to the other server.
func give(from, to *tab) {
	coins := to.owns().Coins
	from.click("#b-gift")
	from.click(fmt.Sprintf(`[data-gift=%q]`, to.id()))
	to.until("has the gift", fmt.Sprintf(`game.letters().length === 1 && game.coins() === %d + 1`, coins))
	to.shoot("gift")
	from.click("#dialog .x")
}

// reload loads the page anew.
func reload(p *tab) {
	before := p.owns()
	p.run("reload", chromedp.Reload())
	p.playing("amber")
	p.keeps(before, "a reload")
}

// kill kills Ann's server: Bob's takes her over, and nothing is lost.
func kill(ann, bob *tab) {
	ann.collect(ann.owns().Coins + 1)
	ann.run("stop", chromedp.Evaluate[chromedp.Void](`game.world.walkTo(game.world.me.x, game.world.me.y), 0`))
	before, acked := ann.owns(), eval[uint64](ann, `game.acked`)
	ann.click(`[data-name="amber"] .kill`)
	ann.until("looks for a server", `!document.getElementById("veil").hidden`)
	ann.shoot("killed")
	ann.until("is told", `document.getElementById("verdict")?.textContent === "Nothing is lost."`)
	ann.playing("birch")
	ann.shoot("taken-over")
	if got := eval[uint64](ann, `game.acked`); got < acked {
		ann.t.Errorf("acknowledged revision = %d after the take-over, want %d or more", got, acked)
	}
	ann.keeps(before, "the kill")
	ann.click("#goon")
	ann.until("sees Bob", fmt.Sprintf(`game.world.others.has(%q)`, bob.id()))
	ann.until("amber is back", `game.servers.every((s) => s.state === "alive")`)
	ann.shoot("together")
	bob.click("#b-inside")
	bob.shoot("inside")
}
