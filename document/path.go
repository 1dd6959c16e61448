package document

import (
	"cmp"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Lengths of names in bytes.
const (
	maxFieldName   = 128
	maxElementName = 256
)

// Path names a field, or one element of a field. Paths are comparable and
// serve as keys of a map. The zero value names nothing and fails Check.
type Path struct {
	// Field is the name of the field: 1 to 128 bytes of UTF-8 without control
	// characters.
	Field string
	// Element is the name of a member of the field's object, if Deep is set:
	// up to 256 bytes of UTF-8. It is empty if Deep is not set.
	Element string
	// Deep says that the path names an element. The empty string is a legal
	// name of one, so Element alone cannot say it.
	Deep bool
}

// Field returns the path of the field with the name.
func Field(name string) Path { return Path{Field: name} }

// Element returns the path of one member of the object that is the field's
// value.
func Element(field, member string) Path {
	return Path{Field: field, Element: member, Deep: true}
}

var (
	pathEscaper   = strings.NewReplacer("~", "~0", "/", "~1")
	pathUnescaper = strings.NewReplacer("~0", "~", "~1", "/")
)

// ParsePath reads what String writes: "bag" for a field, "bag/sword" for an
// element. A '/' inside a name is written ~1 and a '~' is written ~0, as in RFC
// 6901. The error matches ErrInvalid.
func ParsePath(s string) (Path, error) {
	field, element, deep := strings.Cut(s, "/")
	if strings.Contains(element, "/") {
		return Path{}, fmt.Errorf("%w: path %s has more than two parts", ErrInvalid, shown(s))
	}
	for i := 0; i < len(s); i++ {
		if s[i] == '~' && (i+1 == len(s) || s[i+1] != '0' && s[i+1] != '1') {
			return Path{}, fmt.Errorf("%w: path %s has a '~' without 0 or 1 at offset %d", ErrInvalid, shown(s), i)
		}
	}
	p := Path{Field: pathUnescaper.Replace(field), Element: pathUnescaper.Replace(element), Deep: deep}
	if err := p.Check(); err != nil {
		return Path{}, err
	}
	return p, nil
}

// String returns the path in the form that ParsePath reads.
func (p Path) String() string {
	if !p.Deep {
		return pathEscaper.Replace(p.Field)
	}
	return pathEscaper.Replace(p.Field) + "/" + pathEscaper.Replace(p.Element)
}

// Check returns an error that matches ErrInvalid unless the names are within
// the limits that Path states.
func (p Path) Check() error {
	if err := checkFieldName(p.Field); err != nil {
		return err
	}
	switch {
	case !p.Deep && p.Element != "":
		return fmt.Errorf("%w: path of field %s names an element and is not deep", ErrInvalid, shown(p.Field))
	case len(p.Element) > maxElementName:
		return fmt.Errorf("%w: element name of %d bytes in %s, at most %d: %s",
			ErrInvalid, len(p.Element), shown(p.Field), maxElementName, shown(p.Element))
	case !utf8.ValidString(p.Element):
		return fmt.Errorf("%w: element name %s in %s is not UTF-8", ErrInvalid, shown(p.Element), shown(p.Field))
	}
	return nil
}

func checkFieldName(name string) error {
	switch {
	case name == "":
		return fmt.Errorf("%w: empty field name", ErrInvalid)
	case len(name) > maxFieldName:
		return fmt.Errorf("%w: field name of %d bytes, at most %d: %s", ErrInvalid, len(name), maxFieldName, shown(name))
	case !utf8.ValidString(name):
		return fmt.Errorf("%w: field name %s is not UTF-8", ErrInvalid, shown(name))
	case strings.ContainsFunc(name, isControl):
		return fmt.Errorf("%w: field name %s has a control character", ErrInvalid, shown(name))
	}
	return nil
}

// checkQuotedFieldName is checkFieldName for a name as it stands in JSON.
func checkQuotedFieldName(quoted []byte) error {
	if n := len(quoted) - 2; n > 0 && n <= maxFieldName && printable(quoted) {
		return nil
	}
	return checkFieldName(unquote(quoted))
}

// printable reports whether a text is of printable ASCII characters without escapes.
func printable(text []byte) bool {
	for _, c := range text {
		if c < ' ' || c == '\\' || c > '~' {
			return false
		}
	}
	return true
}

func isControl(r rune) bool { return r < 0x20 || r >= 0x7f && r < 0xa0 }

// Compare orders paths by field; a field comes before its elements. It returns
// a negative number, zero or a positive number.
func (p Path) Compare(q Path) int {
	if c := cmp.Compare(p.Field, q.Field); c != 0 {
		return c
	}
	if p.Deep != q.Deep {
		if q.Deep {
			return -1
		}
		return 1
	}
	return cmp.Compare(p.Element, q.Element)
}
