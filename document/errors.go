package document

import (
	"errors"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"
)

// Errors that this package returns, wrapped with the place and the reason. Test
// for them with errors.Is. A call that returns one has changed nothing.
var (
	// ErrInvalid means that a text, a name or an encoded delta breaks a rule:
	// it is not JSON, has a name twice, is not UTF-8, or is cut short.
	ErrInvalid = errors.New("invalid document data")
	// ErrTooLarge means that the document, or a value, would be larger than
	// its limits allow, in bytes or in fields and elements.
	ErrTooLarge = errors.New("document too large")
	// ErrTooDeep means that a value is nested deeper than the limits allow.
	ErrTooDeep = errors.New("document too deep")
	// ErrNotObject means that an element was named of a field whose value is
	// not an object.
	ErrNotObject = errors.New("field is not an object")
)

// maxShown is how many bytes of a name or a pointer an error message shows.
const maxShown = 100

// invalidText turns an error of jsontext into one that matches ErrInvalid.
func invalidText(err error) error {
	var syntax *jsontext.SyntacticError
	if !errors.As(err, &syntax) || syntax.Err == nil {
		return fmt.Errorf("%w: %v", ErrInvalid, err)
	}
	if errors.Is(err, jsontext.ErrDuplicateName) {
		return fmt.Errorf("%w: duplicate name at %s", ErrInvalid, shown(string(syntax.JSONPointer)))
	}
	place := ""
	if syntax.JSONPointer != "" {
		place = ", in " + shown(string(syntax.JSONPointer))
	}
	return fmt.Errorf("%w: %v at offset %d%s", ErrInvalid, syntax.Err, syntax.ByteOffset, place)
}

// shown quotes a name or a pointer and shortens it for a message.
func shown(s string) string {
	if len(s) > maxShown {
		return fmt.Sprintf("%q…", s[:maxShown])
	}
	return fmt.Sprintf("%q", s)
}
