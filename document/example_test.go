package document_test

import (
	"fmt"
	"log"

	"github.com/holdfast-games/holdfast/document"
)

func ExampleDocument() {
	d, err := document.Parse([]byte(`{"coins": 500, "bag": {"sword": {"wear": 0.10}}}`), nil)
	if err != nil {
		log.Fatal(err)
	}
	value, err := document.Compact([]byte(`{ "wear": 0 }`), nil)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := d.Set(document.Element("bag", "bow"), value); err != nil {
		log.Fatal(err)
	}
	prev, err := d.Set(document.Field("coins"), []byte("9007199254740993"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s, was %s\n", d.AppendJSON(nil), prev)
	for name, item := range d.Elements("bag") {
		fmt.Printf("%s: %s\n", name, item)
	}
	// Output:
	// {"coins":9007199254740993,"bag":{"sword":{"wear":0.10},"bow":{"wear":0}}}, was 500
	// sword: {"wear":0.10}
	// bow: {"wear":0}
}

func ExampleDelta() {
	before, err := document.Parse([]byte(`{"coins":500,"bag":{"sword":1,"bow":1}}`), nil)
	if err != nil {
		log.Fatal(err)
	}
	after, err := document.Parse([]byte(`{"coins":450,"bag":{"sword":1,"axe":1}}`), nil)
	if err != nil {
		log.Fatal(err)
	}
	sent := document.Diff(before, after).AppendBinary(nil)

	delta, err := document.DecodeDelta(sent, nil)
	if err != nil {
		log.Fatal(err)
	}
	for _, c := range delta {
		if c.Value == nil {
			fmt.Printf("%s is gone\n", c.Path)
			continue
		}
		fmt.Printf("%s is %s\n", c.Path, c.Value)
	}
	if err := before.Apply(delta); err != nil {
		log.Fatal(err)
	}
	fmt.Println(document.Equal(before.AppendJSON(nil), after.AppendJSON(nil)))
	// Output:
	// bag/axe is 1
	// bag/bow is gone
	// coins is 450
	// true
}
