package receipt_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/receipt"
)

func ExamplePurchase_Check() {
	p := receipt.Purchase{ID: "webshop:10442", Product: "gems.large", Player: "7c1e", Quantity: 2}
	fmt.Println(p.Check())
	p.Quantity = -2
	fmt.Println(p.Check())
	// Output:
	// <nil>
	// invalid request: quantity -2, 1 to 1000000000 allowed
}

// full is a purchase with every field at its limit.
func full() receipt.Purchase {
	return receipt.Purchase{
		ID:       strings.Repeat("i", receipt.MaxPurchaseID),
		Product:  strings.Repeat("é", receipt.MaxProduct/2),
		Player:   strings.Repeat("p", receipt.MaxPlayer),
		Payer:    strings.Repeat("y", receipt.MaxPayer),
		Quantity: receipt.MaxQuantity,
		At:       time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC),
		Sandbox:  true,
		Details:  []byte(`{"a":"` + strings.Repeat("d", receipt.MaxDetails-len(`{"a":""}`)) + `"}`),
	}
}

// nested returns an object of the given number of levels.
func nested(levels int) []byte {
	return []byte(strings.Repeat(`{"a":`, levels-1) + `{}` + strings.Repeat(`}`, levels-1))
}

func TestPurchaseCheckAccepts(t *testing.T) {
	for name, change := range map[string]func(*receipt.Purchase){
		"EveryFieldAtItsLimit": func(*receipt.Purchase) {},
		"NobodyNamed":          func(p *receipt.Purchase) { p.Player, p.Payer = "", "" },
		"NoQuantity":           func(p *receipt.Purchase) { p.Quantity = 0 },
		"NoTime":               func(p *receipt.Purchase) { p.At = time.Time{} },
		"NoDetails":            func(p *receipt.Purchase) { p.Details = nil },
		"DetailsWithSpace":     func(p *receipt.Purchase) { p.Details = []byte(" { } ") },
		"DeepestDetails":       func(p *receipt.Purchase) { p.Details = nested(receipt.MaxDetailsDepth) },
		"IDWithAnyText":        func(p *receipt.Purchase) { p.ID = "a/b c\n€" },
	} {
		t.Run(name, func(t *testing.T) {
			p := full()
			change(&p)
			if err := p.Check(); err != nil {
				t.Errorf("Check() = %v, want no error", err)
			}
		})
	}
}

func TestPurchaseCheckRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*receipt.Purchase)
		reason string
	}{
		"NoID":             {func(p *receipt.Purchase) { p.ID = "" }, "purchase id of 0 bytes, 1 to 512 allowed"},
		"LongID":           {func(p *receipt.Purchase) { p.ID += "i" }, "purchase id of 513 bytes"},
		"IDNotUTF8":        {func(p *receipt.Purchase) { p.ID = "a\xff" }, "purchase id \"a\\xff\" is not valid UTF-8"},
		"IDWithNUL":        {func(p *receipt.Purchase) { p.ID = "a\x00" }, "purchase id \"a\\x00\" has a NUL byte"},
		"NoProduct":        {func(p *receipt.Purchase) { p.Product = "" }, "product of 0 bytes"},
		"LongProduct":      {func(p *receipt.Purchase) { p.Product += "x" }, "product of 101 bytes"},
		"LongPlayer":       {func(p *receipt.Purchase) { p.Player += "x" }, "player of 201 bytes, 0 to 200 allowed"},
		"PlayerWithNUL":    {func(p *receipt.Purchase) { p.Player = "\x00" }, "player \"\\x00\" has a NUL byte"},
		"LongPayer":        {func(p *receipt.Purchase) { p.Payer += "x" }, "payer of 201 bytes"},
		"NegativeQuantity": {func(p *receipt.Purchase) { p.Quantity = -1 }, "quantity -1"},
		"LargeQuantity":    {func(p *receipt.Purchase) { p.Quantity++ }, "quantity 1000000001"},
		"YearTenThousand":  {func(p *receipt.Purchase) { p.At = p.At.Add(time.Second) }, "time of purchase"},
		"LongDetails":      {func(p *receipt.Purchase) { p.Details = append(p.Details, ' ') }, "details of 16385 bytes"},
		"DeepDetails":      {func(p *receipt.Purchase) { p.Details = nested(receipt.MaxDetailsDepth + 1) }, "33 levels"},
		"DetailsCut":       {func(p *receipt.Purchase) { p.Details = []byte(`{"a":1`) }, "details: "},
		"DetailsTwice":     {func(p *receipt.Purchase) { p.Details = []byte(`{} {}`) }, "details: "},
		"DetailsOfSpace":   {func(p *receipt.Purchase) { p.Details = []byte(` `) }, "details: "},
		"DuplicateName":    {func(p *receipt.Purchase) { p.Details = []byte(`{"a":1,"a":2}`) }, "duplicate name"},
		"DetailsNotUTF8":   {func(p *receipt.Purchase) { p.Details = []byte("{\"a\":\"\xff\"}") }, "UTF-8"},
		"DetailsAnArray":   {func(p *receipt.Purchase) { p.Details = []byte(` [1]`) }, "details are not a JSON object: \"[1]\""},
		"DetailsNull":      {func(p *receipt.Purchase) { p.Details = []byte(`null`) }, "details are not a JSON object: \"null\""},
	} {
		t.Run(name, func(t *testing.T) {
			p := full()
			c.change(&p)
			err := p.Check()
			if !errors.Is(err, driver.ErrInvalid) || !strings.Contains(err.Error(), c.reason) {
				t.Errorf("Check() = %v, want ErrInvalid with %q", err, c.reason)
			}
			e := receipt.Event{Purchase: p, Refund: true}
			if err := e.Check(); !errors.Is(err, driver.ErrInvalid) {
				t.Errorf("Check() of its refund = %v, want ErrInvalid", err)
			}
		})
	}
}
