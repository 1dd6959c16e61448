package document_test

import (
	"fmt"
	"runtime"
	"strconv"
	"testing"

	"github.com/holdfast-games/holdfast/document"
)

// playerJSON makes a profile of about size bytes: plain fields, and a bag that
// holds most of it.
func playerJSON(size int) []byte {
	b := []byte(`{"schema":3,"coins":1250,"gems":12,"level":41,"experience":90071992547409931,` +
		`"name":"Brünhild \"the\" Bold","joined":"2026-03-01T12:00:00Z","played":73211,` +
		`"settings":{"music":0.5,"sound":true,"language":"de","keys":["w","a","s","d"]},` +
		`"quests":{"intro":{"done":true},"wolves":{"done":false,"killed":7}},` +
		`"position":[12.5,-3.25,801.0],"guild":null,"banned":false,"bag":{`)
	for i := 0; len(b) < size-60; i++ {
		if i > 0 {
			b = append(b, ',')
		}
		b = fmt.Appendf(b, `"item-%05d":{"id":%d,"count":%d,"wear":0.%d}`, i, 1000+i*7, i%64, i%100)
	}
	return append(b, `},"pets":["cat","owl"]}`...)
}

var sizes = []struct {
	name string
	size int
}{{"2KB", 2_000}, {"20KB", 20_000}, {"200KB", 200_000}}

func BenchmarkParse(b *testing.B) {
	for _, s := range sizes {
		text := playerJSON(s.size)
		b.Run(s.name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := document.Parse(text, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkParseDocuments(b *testing.B) {
	for _, f := range realDocuments(b) {
		b.Run(f.name, func(b *testing.B) {
			b.SetBytes(int64(len(f.text)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := document.Parse(f.text, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkSetElement(b *testing.B) {
	for _, s := range sizes {
		d, err := document.Parse(playerJSON(s.size), nil)
		if err != nil {
			b.Fatal(err)
		}
		n := d.ElementCount("bag")
		paths := make([]document.Path, n)
		for i := range paths {
			paths[i] = document.Element("bag", fmt.Sprintf("item-%05d", i))
		}
		values := [2][]byte{[]byte(`{"id":1000,"count":1,"wear":0.5}`), []byte(`{"id":1000,"count":17,"wear":0.5}`)}
		b.Run(s.name, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if _, err := d.Set(paths[i%n], values[i&1]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkSetField(b *testing.B) {
	for _, s := range sizes {
		d, err := document.Parse(playerJSON(s.size), nil)
		if err != nil {
			b.Fatal(err)
		}
		values := [2][]byte{[]byte(`12`), []byte(`13`)}
		b.Run(s.name, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if _, err := d.Set(document.Field("coins"), values[i&1]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkGetElement(b *testing.B) {
	for _, s := range sizes {
		d, err := document.Parse(playerJSON(s.size), nil)
		if err != nil {
			b.Fatal(err)
		}
		p := document.Element("bag", fmt.Sprintf("item-%05d", d.ElementCount("bag")-1))
		b.Run(s.name, func(b *testing.B) {
			for b.Loop() {
				if _, ok := d.Get(p); !ok {
					b.Fatal("absent")
				}
			}
		})
	}
}

// BenchmarkGetField looks for the last of so many fields, to see where a table
// begins to pay.
func BenchmarkGetField(b *testing.B) {
	for _, n := range []int{8, 16, 32, 33, 64, 128} {
		d := new(document.Document)
		for i := range n {
			if _, err := d.Set(document.Field("field-"+strconv.Itoa(100+i)), []byte("1")); err != nil {
				b.Fatal(err)
			}
		}
		p := document.Field("field-" + strconv.Itoa(99+n))
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			for b.Loop() {
				if _, ok := d.Get(p); !ok {
					b.Fatal("absent")
				}
			}
		})
	}
}

func BenchmarkAppendJSON(b *testing.B) {
	for _, s := range sizes {
		d, err := document.Parse(playerJSON(s.size), nil)
		if err != nil {
			b.Fatal(err)
		}
		d.Get(document.Element("bag", ""))
		d.Set(document.Element("bag", "new"), []byte("1"))
		buf := d.AppendJSON(nil)
		undo := document.Delta{{Path: document.Field("coins"), Value: []byte("7")}, {Path: document.Element("bag", "new")}}
		b.Run("Now/"+s.name, func(b *testing.B) {
			b.SetBytes(int64(len(buf)))
			for b.Loop() {
				buf = d.AppendJSON(buf[:0])
			}
		})
		b.Run("Before/"+s.name, func(b *testing.B) {
			b.SetBytes(int64(len(buf)))
			for b.Loop() {
				buf = d.AppendBefore(buf[:0], undo)
			}
		})
	}
}

func BenchmarkDiff(b *testing.B) {
	x, err := document.Parse(playerJSON(20_000), nil)
	if err != nil {
		b.Fatal(err)
	}
	y := x.Clone()
	y.Set(document.Element("bag", "item-00007"), []byte("1"))
	for b.Loop() {
		if n := len(document.Diff(x, y)); n != 1 {
			b.Fatalf("Diff gave %d changes, want 1", n)
		}
	}
}

func BenchmarkDecodeDelta(b *testing.B) {
	var delta document.Delta
	for i := range 16 {
		delta = append(delta, document.Change{
			Path:  document.Element("bag", strconv.Itoa(i)),
			Value: []byte(`{"id":1000,"count":1,"wear":0.5}`),
		})
	}
	text := delta.AppendBinary(nil)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := document.DecodeDelta(text, nil); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEqual(b *testing.B) {
	x := playerJSON(20_000)
	y := append([]byte(" "), x...)
	y[len(y)-2] = ' ' // the last bracket but one, so that no shortcut applies
	y = append(y[:len(y)-2], "] }"...)
	b.SetBytes(int64(len(x)))
	for b.Loop() {
		if !document.Equal(x, y) {
			b.Fatal("not equal")
		}
	}
}

// heapAfter returns the bytes in use after collections: the first leaves what
// pools held, the second takes it too.
func heapAfter() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
