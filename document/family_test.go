package document_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/holdfast-games/holdfast/document"
	"pgregory.net/rapid"
)

// familyByScan is AppendFamily by looking at all elements.
func familyByScan(d *document.Document, field, name string, sep byte) []string {
	var found []string
	for n, value := range d.Elements(field) {
		if n == name || strings.HasPrefix(n, name+string(sep)) {
			found = append(found, n+"="+string(value))
		}
	}
	return found
}

func familyOf(d *document.Document, field, name string, sep byte) []string {
	var found []string
	for _, m := range d.AppendFamily(nil, field, name, sep) {
		found = append(found, m.Name+"="+string(m.Value))
	}
	return found
}

func TestFamily(t *testing.T) {
	t.Run("IsWhatAScanFinds", func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			d := new(document.Document)
			names := rapid.SampledFrom([]string{"", "a", "b", "arrow", "arro", `q"o`, "ü", "tab\t"})
			for i := range rapid.IntRange(0, 300).Draw(t, "steps") {
				name := names.Draw(t, "name")
				if n := rapid.IntRange(0, 40).Draw(t, "number"); n > 0 {
					name = fmt.Sprintf("%s#%d", name, n)
				}
				switch rapid.IntRange(0, 20).Draw(t, "what") {
				case 0:
					d = d.Clone()
				case 1:
					d.Delete(document.Field("bag"))
				case 2, 3, 4, 5, 6, 7:
					d.Delete(document.Element("bag", name))
				default:
					if _, err := d.Set(document.Element("bag", name), fmt.Appendf(nil, "%d", i)); err != nil {
						t.Fatal(err)
					}
				}
				const sep = '#'
				asked := names.Draw(t, "asked")
				if diff := cmp.Diff(familyByScan(d, "bag", asked, sep), familyOf(d, "bag", asked, sep)); diff != "" {
					t.Fatalf("family of %q:\n%s", asked, diff)
				}
			}
		})
	})
	t.Run("GoesByTheSeparatorThatIsAsked", func(t *testing.T) {
		d, err := document.Parse([]byte(`{"bag":{"a":1,"a#2":2,"a@2":3,"ab":4},"n":5}`), nil)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 40 { // so many that there is a table
			if _, err := d.Set(document.Element("bag", fmt.Sprint("x", i)), []byte("0")); err != nil {
				t.Fatal(err)
			}
		}
		for sep, want := range map[byte][]string{'#': {"a=1", "a#2=2"}, '@': {"a=1", "a@2=3"}} {
			if diff := cmp.Diff(want, familyOf(d, "bag", "a", sep)); diff != "" {
				t.Errorf("family by %q:\n%s", sep, diff)
			}
		}
		if got := familyOf(d, "n", "a", '#'); got != nil {
			t.Errorf("a number has a family %v", got)
		}
		if got := familyOf(d, "none", "a", '#'); got != nil {
			t.Errorf("a missing field has a family %v", got)
		}
	})
}

func TestMembers(t *testing.T) {
	var got []string
	for name, value := range document.Members([]byte(`{"a":1,"b\"":{"c":[1,"}"]},"":null}`)) {
		got = append(got, name+"="+string(value))
	}
	if diff := cmp.Diff([]string{"a=1", `b"={"c":[1,"}"]}`, "=null"}, got); diff != "" {
		t.Error(diff)
	}
	for range document.Members([]byte(`[1]`)) {
		t.Error("a list has members")
	}
	for name := range document.Members([]byte(`{"a":1,"b":2}`)) {
		if name != "a" {
			t.Errorf("the loop went on to %q", name)
		}
		break
	}
}

func TestRawElements(t *testing.T) {
	d := mustParse(t, `{"bag":{"a":1,"b\"\n":{"c":[1]},"":null},"list":[1]}`)
	var got []string
	for name, value := range d.RawElements("bag") {
		got = append(got, string(name)+"="+string(value))
	}
	if diff := cmp.Diff([]string{"a=1", "b\"\n={\"c\":[1]}", "=null"}, got); diff != "" {
		t.Error(diff)
	}
	for range d.RawElements("bag") {
		break
	}
	d.Delete(document.Element("bag", "a"))
	for name := range d.RawElements("bag") {
		if string(name) != "b\"\n" {
			t.Errorf("after the first was deleted it begins with %q", name)
		}
		break
	}
	for _, none := range []string{"list", "none"} {
		for range d.RawElements(none) {
			t.Errorf("%q has elements", none)
		}
	}
}

// TestSearchesGiveTheSameWithAndWithoutATable seeks as often as it takes until there
// is a table, while elements come and go.
func TestSearchesGiveTheSameWithAndWithoutATable(t *testing.T) {
	d := new(document.Document)
	at := func(i int) document.Path { return document.Element("bag", fmt.Sprintf("item %d", i)) }
	for i := range 100 {
		if _, err := d.Set(at(i), fmt.Append(nil, i)); err != nil {
			t.Fatal(err)
		}
	}
	d = mustParse(t, string(d.AppendJSON(nil)))
	for i := range 100 {
		i = i * 37 % 100
		for range 2 {
			value, ok := d.Get(at(i))
			family := d.AppendFamily(nil, "bag", at(i).Element, '#')
			if !ok || string(value) != fmt.Sprint(i) || len(family) != 1 || string(family[0].Value) != string(value) {
				t.Fatalf("%v = %s, %t, and as a family %v", at(i), value, ok, family)
			}
		}
		d.Delete(at(i))
		if d.Has(at(i)) || len(d.AppendFamily(nil, "bag", at(i).Element, '#')) > 0 {
			t.Fatalf("%v is there after it was deleted", at(i))
		}
	}
}

func BenchmarkFamily(b *testing.B) {
	d := new(document.Document)
	names := make([]string, 5000)
	for i := range names {
		names[i] = fmt.Sprintf("item of the north %04d", i)
		if _, err := d.Set(document.Element("bag", names[i]), []byte(`{"n":1}`)); err != nil {
			b.Fatal(err)
		}
	}
	var room [4]document.Member
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		i++
		d.AppendFamily(room[:0], "bag", names[i%len(names)], '#')
	}
}
