package receipt

import (
	"errors"
	"io"
	"net/http"

	"github.com/holdfast-games/holdfast/session"
)

// Handler answers a store's requests, each of which is a proof: its webhook. It
// takes POST only, and asks nobody but the verifier whether to believe a request.
// A store sends again what was not answered with 200:
//
//   - 200: everything that the request says is done, and on disk; or there is
//     nothing to do any more: a purchase was refunded meanwhile, or granted to a
//     player who has been erased since, or the refund is that of such a player's.
//   - 503: not processed yet, or it could not be judged: to be sent again.
//   - 401, 400, 413: ErrUnverified, ErrMalformed, ErrTooLarge. Never to be granted.
//   - 422: refused for good: nobody is named who receives it, the purchase is
//     another player's, or its player has been erased. Somebody should look at it.
//
// The answer's text says no more than that; the details are in the book's log.
func Handler(b *Book, v Verifier) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			w.Header().Set("Allow", http.MethodPost)
			http.Error(w, "POST only", http.StatusMethodNotAllowed)
			return
		}
		err := b.answer(r, v)
		code := statusOf(err)
		switch {
		case code == http.StatusServiceUnavailable:
			w.Header().Set("Retry-After", "5")
			b.log.Warn("purchases not processed yet", "err", err)
		case err != nil:
			b.log.Error("purchases refused", "status", code, "err", err)
		}
		if code != http.StatusOK {
			http.Error(w, http.StatusText(code), code)
		}
	})
}

// answer does what a request says.
func (b *Book) answer(r *http.Request, v Verifier) error {
	body, err := io.ReadAll(io.LimitReader(r.Body, MaxProof+1))
	if err != nil {
		return err
	}
	proof := Proof{Body: body, Header: r.Header}
	if err := proof.Check(); err != nil {
		return err
	}
	done, err := b.Deliver(r.Context(), v, proof, "")
	if err == nil || len(done) == 0 {
		return err
	}
	var errs []error
	for _, d := range done {
		if !d.over() {
			errs = append(errs, d.Err)
		}
	}
	return errors.Join(errs...)
}

// over reports whether there is nothing to do any more, and nothing wrong.
func (d *Delivery) over() bool {
	return errors.Is(d.Err, ErrRefunded) || errors.Is(d.Err, ErrSpent) || d.Refund && errors.Is(d.Err, session.ErrErased)
}

// statusOf returns the status that tells an error. If there are several, what is
// not processed yet decides, as the others are refused again.
func statusOf(err error) int {
	switch {
	case err == nil:
		return http.StatusOK
	case errors.Is(err, ErrNotProcessed):
		return http.StatusServiceUnavailable
	}
	for _, c := range []struct {
		err  error
		code int
	}{
		{ErrTooLarge, http.StatusRequestEntityTooLarge},
		{ErrMalformed, http.StatusBadRequest},
		{ErrUnverified, http.StatusUnauthorized},
	} {
		if errors.Is(err, c.err) {
			return c.code
		}
	}
	for _, f := range final {
		if errors.Is(err, f) {
			return http.StatusUnprocessableEntity
		}
	}
	return http.StatusServiceUnavailable
}
