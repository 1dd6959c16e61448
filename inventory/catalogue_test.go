package inventory_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/holdfast-games/holdfast/inventory"
)

const catalogueText = `{"items": {
	"arrow": {"stack": 64},
	"gem":   {"most": 1000},
	"sword": {"unique": true, "properties": {"durability": 100}},
	"bread": {}
}}`

func TestCatalogue(t *testing.T) {
	t.Run("IsReadFromJSON", func(t *testing.T) {
		c, err := inventory.ParseCatalogue([]byte(catalogueText), map[string]func(json.RawMessage) error{"arrow": sharp})
		if err != nil {
			t.Fatal(err)
		}
		arrow, _ := c.Item("arrow")
		gem, _ := c.Item("gem")
		sword, ok := c.Item("sword")
		if !ok || arrow.Stack != 64 || arrow.Validate == nil || gem.Most != 1000 || gem.Stack != inventory.MaxAmount || !sword.Unique || c.Len() != 4 {
			t.Errorf("arrow %+v, gem %+v, sword %+v, %d items", arrow, gem, sword, c.Len())
		}
		if _, ok := c.Item("bow"); ok {
			t.Error("there is a bow")
		}
		var names []string
		for it := range c.Items() {
			names = append(names, it.Name)
		}
		if want := []string{"arrow", "bread", "gem", "sword"}; !slices.Equal(names, want) {
			t.Errorf("Items() = %v, want %v", names, want)
		}
	})
	t.Run("IsWrittenAsItIsRead", func(t *testing.T) {
		c, _ := inventory.ParseCatalogue([]byte(catalogueText), nil)
		again, err := inventory.ParseCatalogue(c.JSON(), nil)
		if err != nil || string(again.JSON()) != string(c.JSON()) {
			t.Errorf("%s\nis read as\n%s, %v", c.JSON(), again.JSON(), err)
		}
	})
	t.Run("RefusesWhatIsWrong", func(t *testing.T) {
		for _, text := range []string{
			``, `[]`, `5`, `{"items": []}`, `{"item": {}}`, `{"items": {"a": {"stak": 5}}}`, `{"items": {"a": {}, "a": {}}}`,
			`{"items": {"a": {"stack": 0}}}`, `{"items": {"a": {"stack": -1}}}`, `{"items": {"a": {"stack": 1.5}}}`,
			`{"items": {"a": {"stack": 9007199254740992}}}`, `{"items": {"a": {"most": "5"}}}`, `{"items": {"a": {"most": null}}}`,
			`{"items": {"a": {"unique": true, "stack": 5}}}`, `{"items": {"a": {"unique": 1}}}`, `{"items": {"a": {"properties": 5}}}`,
			`{"items": {"a#b": {}}}`, `{"items": {"": {}}}`, `{"items": {"` + strings.Repeat("a", 51) + `": {}}}`,
			`{"items": {"a": {"properties": ` + strings.Repeat(`{"a":`, 100) + "1" + strings.Repeat(`}`, 100) + `}}}`,
			`{"items": {}} x`,
		} {
			if _, err := inventory.ParseCatalogue([]byte(text), nil); !errors.Is(err, inventory.ErrCatalogue) {
				t.Errorf("ParseCatalogue(%.80s) = %v, want ErrCatalogue", text, err)
			}
		}
		_, err := inventory.ParseCatalogue([]byte(catalogueText), map[string]func(json.RawMessage) error{"bow": sharp})
		if !errors.Is(err, inventory.ErrCatalogue) {
			t.Errorf("a function for no item = %v", err)
		}
		if _, err := inventory.ParseCatalogue(make([]byte, inventory.MaxCatalogueSize+1), nil); !errors.Is(err, inventory.ErrCatalogue) {
			t.Errorf("a large catalogue = %v", err)
		}
		var many strings.Builder
		for i := range inventory.MaxItems + 1 {
			fmt.Fprintf(&many, `,"%d":{}`, i)
		}
		if _, err := inventory.ParseCatalogue([]byte(`{"items":{`+many.String()[1:]+`}}`), nil); !errors.Is(err, inventory.ErrCatalogue) {
			t.Errorf("a long catalogue = %v", err)
		}
		for _, it := range []inventory.Item{
			{Name: "a", Stack: -1}, {Name: "a", Most: inventory.MaxAmount + 1}, {Name: "a", Unique: true, Stack: 1}, {Name: "\x00"},
			{Name: "a", Properties: 5}, {Name: "a", Properties: func() {}}, {Name: "a", Properties: map[string]any{"edge": "infinite"}, Validate: sharp},
		} {
			if err := inventory.NewCatalogue(it).Err(); !errors.Is(err, inventory.ErrCatalogue) {
				t.Errorf("NewCatalogue(%+v).Err() = %v", it, err)
			}
		}
		if err := inventory.NewCatalogue(inventory.Item{Name: "a"}, inventory.Item{Name: "a"}).Err(); !errors.Is(err, inventory.ErrCatalogue) {
			t.Errorf("two of a name: %v", err)
		}
	})
}

func FuzzParseCatalogue(f *testing.F) {
	f.Add(catalogueText)
	f.Add(`{"items":{"a":{"stack":1,"most":2,"properties":{"x":[1,2]}}}}`)
	f.Fuzz(func(t *testing.T, text string) {
		c, err := inventory.ParseCatalogue([]byte(text), nil)
		if err != nil {
			return
		}
		again, err := inventory.ParseCatalogue(c.JSON(), nil)
		if err != nil || string(again.JSON()) != string(c.JSON()) {
			t.Fatalf("%s is written as %s, which is read as %v", text, c.JSON(), err)
		}
	})
}
