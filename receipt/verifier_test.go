package receipt_test

import (
	"errors"
	"testing"

	"github.com/holdfast-games/holdfast/receipt"
)

func TestProofCheck(t *testing.T) {
	for name, c := range map[string]struct {
		size int
		want error
	}{
		"RefusesNothing":        {0, receipt.ErrMalformed},
		"AcceptsOneByte":        {1, nil},
		"AcceptsTheLimit":       {receipt.MaxProof, nil},
		"RefusesAboveTheLimit":  {receipt.MaxProof + 1, receipt.ErrTooLarge},
		"RefusesFarBeyondLimit": {64 * receipt.MaxProof, receipt.ErrTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			p := receipt.Proof{Body: make([]byte, c.size)}
			if err := p.Check(); !errors.Is(err, c.want) {
				t.Errorf("Check() of %d bytes = %v, want %v", c.size, err, c.want)
			}
		})
	}
}
