package inventory

import (
	"encoding/json"
	"fmt"

	strict "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/profile"
)

// wireDo is an operation's value as it is written. Servers of several versions read
// it: what is defined keeps its meaning, and who meets what is new to him refuses it.
type wireDo struct {
	Do         string         `json:"do"`
	Item       string         `json:"item"`
	N          jsontext.Value `json:"n,omitzero"`
	Properties jsontext.Value `json:"properties,omitzero"`
	By         string         `json:"by,omitzero"`
	Reason     string         `json:"reason,omitzero"`
	From       []string       `json:"from,omitempty"`
}

// AddOp is the operation of Add, for players wherever they are: see
// profile.Server.Change. Its result is how much there is of the item then.
func (b *Inventory) AddOp(item string, n int64, properties any) profile.Op {
	do := wireDo{Do: "add", Item: item, N: whole(n)}
	return b.op(do, properties)
}

// RemoveOp is the operation of Remove. Its result is how much there is of the item
// then. As one of several operations it is also the condition that there is enough.
func (b *Inventory) RemoveOp(item string, n int64) profile.Op {
	return b.op(wireDo{Do: "remove", Item: item, N: whole(n)}, nil)
}

// CreateOp is the operation of Create. Its result is the key of the instance.
func (b *Inventory) CreateOp(item string, properties any, from *Origin) profile.Op {
	do := wireDo{Do: "create", Item: item}
	if from != nil {
		do.By, do.Reason, do.From = from.By, from.Reason, from.From
	}
	return b.op(do, properties)
}

// DeleteOp is the operation of Delete, but if there is no such entry, nothing happens.
func (b *Inventory) DeleteOp(key string) profile.Op { return b.elements.DeleteOp(key) }

// ExpectPresentOp makes the condition that there is an entry of a key.
func (b *Inventory) ExpectPresentOp(key string) profile.Op { return b.elements.ExpectPresentOp(key) }

// ExpectAbsentOp makes the condition that there is no entry of a key.
func (b *Inventory) ExpectAbsentOp(key string) profile.Op { return b.elements.ExpectAbsentOp(key) }

// whole writes a number as it was given, so that one that is no amount is refused by
// who applies the operation.
func whole(n int64) jsontext.Value { return formatAmount(n) }

func (b *Inventory) op(do wireDo, properties any) profile.Op {
	if properties != nil {
		text, err := profile.EncodeValue(properties, nil)
		if err != nil {
			return b.elements.DoOp(failed{err})
		}
		do.Properties = jsontext.Value(text)
	}
	text, err := strict.Marshal(do)
	if err != nil {
		return b.elements.DoOp(failed{err})
	}
	return b.elements.DoOp(json.RawMessage(text))
}

// failed makes an operation that nobody encodes or applies.
type failed struct{ err error }

// MarshalJSON returns the error.
func (f failed) MarshalJSON() ([]byte, error) { return nil, f.err }

// do makes an operation.
func (b *Inventory) do(tx *profile.Tx, value json.RawMessage) (json.RawMessage, error) {
	var do wireDo
	if err := strict.Unmarshal(value, &do, strict.RejectUnknownMembers(true)); err != nil {
		return nil, fmt.Errorf("%w: %w", document.ErrInvalid, err)
	}
	var props any
	if do.Properties != nil {
		props = json.RawMessage(do.Properties)
	}
	if do.Do == "create" {
		e, err := b.Create(tx, do.Item, props, &Origin{By: do.By, Reason: do.Reason, From: do.From})
		if err != nil {
			return nil, err
		}
		return json.Marshal(e.Key)
	}
	n, err := parseAmount(do.N)
	if err != nil {
		return nil, err
	}
	switch do.Do {
	case "add":
		_, err = b.Add(tx, do.Item, n, props)
	case "remove":
		_, err = b.Remove(tx, do.Item, n)
	default:
		err = fmt.Errorf("%w: an inventory does not %.40q", document.ErrInvalid, do.Do)
	}
	if err != nil {
		return nil, err
	}
	return json.RawMessage(formatAmount(b.Count(tx, do.Item))), nil
}
