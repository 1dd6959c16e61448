package replica

import (
	"errors"
	"strconv"
	"strings"

	"github.com/coder/websocket"
)

// endOf returns what the end of a connection says, if it says something that is of the
// protocol, that of later versions included.
func endOf(err error) (*EndedError, bool) {
	closed, ok := errors.AsType[websocket.CloseError](err)
	if !ok {
		return nil, false
	}
	code := int(closed.Code)
	word, detail, _ := strings.Cut(closed.Reason, ":")
	detail = strings.TrimSpace(detail)
	final := code >= 4000 && code < 4100
	reason, known := reasonFor(code)
	switch {
	case known && word != string(reason):
		return &EndedError{Reason: reason, Final: reason.Final(), Detail: closed.Reason}, true
	case known:
		return &EndedError{Reason: reason, Final: reason.Final(), Detail: detail}, true
	case !final && (code < 4100 || code >= 4200):
		return nil, false
	case word == "":
		word = strconv.Itoa(code)
	}
	return &EndedError{Reason: Reason(word), Final: final, Detail: detail}, true
}

// reasonFor returns the reason that a close code stands for, if it is one that is known
// here.
func reasonFor(code int) (Reason, bool) {
	if code == int(websocket.StatusMessageTooBig) {
		return Malformed, true
	}
	for r, c := range closeCodes {
		if c == code {
			return r, true
		}
	}
	return "", false
}
