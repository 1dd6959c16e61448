package profile_test

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/mem"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/session"
	"github.com/holdfast-games/holdfast/store"
)

func TestOpInsideAnotherMessage(t *testing.T) {
	for name, c := range writeOps {
		t.Run(name, func(t *testing.T) {
			text, err := json.Marshal(map[string]profile.Op{"do": c.op})
			var got map[string]profile.Op
			if err == nil {
				err = json.Unmarshal(text, &got)
			}
			if op := got["do"]; err != nil || op.String() != c.json {
				t.Errorf("%s comes back as %v, %v, want %s", text, op, err, c.json)
			}
		})
	}
}

// unencodable is a type whose own method fails.
type unencodable struct{}

var errUnencodable = errors.New("has no encoding")

func (unencodable) MarshalJSON() ([]byte, error) { return nil, errUnencodable }

func TestOpsThatCannotBeEncoded(t *testing.T) {
	odd := profile.Value("odd", any(nil))
	for name, c := range map[string]struct {
		want error
		op   profile.Op
	}{
		"NotANumber":     {profile.ErrRange, luck.SetOp(math.NaN())},
		"Infinite":       {profile.ErrRange, luck.AddOp(math.Inf(1))},
		"InvalidText":    {document.ErrInvalid, nick.SetOp("\xff")},
		"InvalidElement": {document.ErrInvalid, friends.AddOp("\xff")},
		"LongElement":    {document.ErrInvalid, bag.PutOp(strings.Repeat("x", 257), Item{})},
		"FarYear":        {profile.ErrRange, born.ExpectOp(time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC))},
		"OwnMethodFails": {errUnencodable, odd.SetOp(unencodable{})},
		"LargeValue":     {document.ErrTooLarge, quests.AppendOp(Item{Name: strings.Repeat("x", 64<<10)})},
		"ZeroValue":      {document.ErrInvalid, profile.Op{}},
	} {
		t.Run(name, func(t *testing.T) {
			if text, err := profile.EncodeOps([]profile.Op{c.op}); !errors.Is(err, c.want) {
				t.Errorf("EncodeOps() = %s, %v, want %v", text, err, c.want)
			}
			if text, err := json.Marshal(c.op); err == nil {
				t.Errorf("json.Marshal() = %s, want an error", text)
			}
			bubble(t, func(w *world) {
				schema := profile.NewSchema("player", luck, nick, friends, bag, born, quests, odd)
				p := w.load(w.serverOn("a", open{w.db}, schema, nil), "1")
				err := p.Update(func(tx *profile.Tx) error {
					_, err := tx.Apply(c.op)
					return err
				})
				if !errors.Is(err, c.want) || dump(p) != "{}" {
					t.Errorf("Apply() = %v and stores %s, want %v", err, dump(p), c.want)
				}
			})
		})
	}
}

func TestOpsOverTheLimits(t *testing.T) {
	many := slices.Repeat([]profile.Op{coins.AddOp(1)}, profile.MaxOps)
	if text, err := profile.EncodeOps(many); err != nil {
		t.Errorf("EncodeOps of %d = %s, %v, want no error", len(many), text, err)
	}
	many = append(many, coins.AddOp(1))
	if text, err := profile.EncodeOps(many); !errors.Is(err, document.ErrTooLarge) {
		t.Errorf("EncodeOps of %d = %s, %v, want ErrTooLarge", len(many), text, err)
	}
	text := "[" + strings.Repeat(`{"op":"reset","field":"coins"},`, profile.MaxOps) + `{"op":"reset","field":"coins"}]`
	if _, err := profile.DecodeOps([]byte(text)); !errors.Is(err, document.ErrTooLarge) {
		t.Errorf("decodeOps of %d = %v, want ErrTooLarge", len(many), err)
	}
	large := slices.Repeat([]profile.Op{nick.SetOp(strings.Repeat("x", profile.MaxOpsSize/2))}, 2)
	if _, err := profile.EncodeOps(large); !errors.Is(err, document.ErrTooLarge) {
		t.Errorf("EncodeOps of two halves = %v, want ErrTooLarge", err)
	}
	spaces := "[" + strings.Repeat(" ", profile.MaxOpsSize-1) + "]"
	if _, err := profile.DecodeOps([]byte(spaces)); !errors.Is(err, document.ErrTooLarge) {
		t.Errorf("decodeOps of %d bytes = %v, want ErrTooLarge", len(spaces), err)
	}
	if ops, err := profile.DecodeOps([]byte(spaces[:1] + spaces[2:])); err != nil || len(ops) != 0 {
		t.Errorf("decodeOps of %d bytes = %v, %v, want none", len(spaces)-1, ops, err)
	}
}

// badOps are encodings that are refused, with a part of the message.
var badOps = map[string]string{
	``:                                     "EOF",
	`{}`:                                   "into Go []",
	`[{"op":"set"`:                         "EOF",
	`[] []`:                                "after top-level value",
	`[{}]`:                                 `no operation is named ""`,
	`[{"op":"steal","field":"coins"}]`:     `no operation is named "steal"`,
	`[{"op":"SET","field":"a","value":1}]`: `no operation is named "SET"`,
	`[{"Op":"reset","field":"a"}]`:         `unknown object member name "Op"`,
	`[{"op":"reset","field":"a","n":1}]`:   `unknown object member name "n"`,
	`[{"op":"reset","op":"reset"}]`:        `duplicate object member name "op"`,
	`[{"op":"reset","field":1}]`:           "/0/field",
	"[{\"op\":\"reset\",\"field\":\"\xff\"}]":                                                            "invalid UTF-8",
	`[{"op":"reset","field":""}]`:                                                                        "empty field name",
	`[{"op":"set","field":"coins"}]`:                                                                     `operation "set" takes field+value or field+element+value, not "field"`,
	`[{"op":"reset","field":"a","value":1}]`:                                                             `operation "reset" takes field, not "field+value"`,
	`[{"op":"add","field":"a","element":"` + strings.Repeat("x", 257) + `"}]`:                            "at most 256",
	`[{"op":"set","field":"a","value":{"x":1,"x":2}}]`:                                                   "duplicate",
	`[{"op":"set","field":"a","value":` + strings.Repeat("[", 1001) + strings.Repeat("]", 1001) + `}]`:   "1001 levels",
	`[{"op":"set","field":"a","value":` + strings.Repeat("[", 20000) + strings.Repeat("]", 20000) + `}]`: "depth",
}

func TestDecodeOpsRefuses(t *testing.T) {
	for text, want := range badOps {
		ops, err := profile.DecodeOps([]byte(text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("decodeOps(%.80s) = %v, %v, want an error with %q", text, ops, err, want)
		}
		if !errors.Is(err, document.ErrInvalid) && !errors.Is(err, document.ErrTooDeep) {
			t.Errorf("decodeOps(%.80s) = %v, want ErrInvalid or ErrTooDeep", text, err)
		}
	}
}

// FuzzDecodeOps reads operations that anybody may have written and applies
// what is accepted: encoding it gives the same again, and what is refused changes
// nothing.
func FuzzDecodeOps(f *testing.F) {
	for _, c := range writeOps {
		f.Add([]byte("[" + c.json + "]"))
	}
	for text := range badOps {
		f.Add([]byte(text))
	}
	ctx := context.Background()
	db, err := store.New(mem.Open(), nil)
	if err != nil {
		f.Fatal(err)
	}
	srv, err := profile.Open(ctx, db, player, nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() {
		_, _ = srv.Close(ctx)
		_ = db.Close(ctx)
	})
	const start = `{"coins":5,"bag":{"sword":{"name":"sword","level":1}},"friends":{"ann":true},"kills":{"bears":3}}`
	f.Fuzz(func(t *testing.T, text []byte) {
		ops, err := profile.DecodeOps(text)
		if err != nil {
			return
		}
		again, err := profile.EncodeOps(ops)
		if err != nil {
			t.Fatalf("EncodeOps of what decodeOps(%s) returned = %v", text, err)
		}
		ops, err = profile.DecodeOps(again)
		if twice, encErr := profile.EncodeOps(ops); err != nil || encErr != nil || string(twice) != string(again) {
			t.Fatalf("%s is encoded as %s, and then as %s, %v, %v", text, again, twice, err, encErr)
		}
		applyFuzzed(t, srv, start, ops)
	})
}

// applyFuzzed applies operations to a copy and checks what they leave.
func applyFuzzed(t *testing.T, srv *profile.Server, start string, ops []profile.Op) {
	before, after := parsed(t, start), parsed(t, start)
	p, err := profile.Detached(srv, session.Key{Kind: "player", ID: "1"}, after)
	if err != nil {
		t.Fatal(err)
	}
	deltas, err := profile.RunDetached([]*profile.Profile{p}, func(txs []*profile.Tx) error {
		_, err := txs[0].Apply(ops...)
		return err
	})
	if err == nil {
		if err := before.Apply(deltas[0]); err != nil {
			t.Fatalf("the delta of %v does not apply: %v", ops, err)
		}
	}
	if diff := document.Diff(before, after); len(diff) > 0 {
		t.Fatalf("Apply(%v) = %v and left %s, want %s", ops, err, after.AppendJSON(nil), before.AppendJSON(nil))
	}
	if err := profile.VerifyUnchanged(p); err != nil {
		t.Fatalf("Apply(%v): %v", ops, err)
	}
}

func parsed(t *testing.T, text string) *document.Document {
	t.Helper()
	d, err := document.Parse([]byte(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	return d
}
