package profile

import "errors"

// Named returns a new error with a text, for a package variable of a layer above
// whose operations refuse with it. When a server tells another why it refused a
// change, it tells by these texts which named errors the reason matches, so that
// errors.Is finds them there too. It must be called while packages are initialized,
// and with a text that no other has.
func Named(text string) error {
	err := errors.New(text)
	named = append(named, namedError{text, err})
	return err
}
