package receipt_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/receipt"
	"github.com/holdfast-games/holdfast/store"
)

// BenchmarkGrant grants purchases to players who are on, so many at one time. Each
// is on disk when it is counted.
func BenchmarkGrant(b *testing.B) {
	for _, e := range engines {
		for _, atOnce := range []int{1, 64, 256} {
			b.Run(fmt.Sprintf("%s/%d", e.name, atOnce), func(b *testing.B) {
				db, err := store.New(e.open(b), nil)
				if err != nil {
					b.Fatal(err)
				}
				srv, err := profile.Open(b.Context(), db, player, nil)
				if err != nil {
					b.Fatal(err)
				}
				defer func() {
					_, _ = srv.Close(context.Background())
					_ = db.Close(context.Background())
				}()
				book, err := receipt.New(srv, []receipt.Product{{Name: "coins", Grant: func(tx *profile.Tx, a *receipt.Award) error {
					return slots.Add(tx, "one", a.Quantity)
				}}}, nil)
				if err != nil {
					b.Fatal(err)
				}
				for i := range atOnce {
					if _, err := srv.Open(b.Context(), fmt.Sprint(i), nil); err != nil {
						b.Fatal(err)
					}
				}
				grantAll(b, book, atOnce)
			})
		}
	}
}

func grantAll(b *testing.B, book *receipt.Book, atOnce int) {
	var last atomic.Int64
	done := make(chan error, atOnce)
	b.ReportAllocs()
	b.ResetTimer()
	for i := range atOnce {
		who := fmt.Sprint(i)
		go func() {
			for n := last.Add(1); n <= int64(b.N); n = last.Add(1) {
				if _, err := book.Grant(context.Background(), buy(fmt.Sprintf("shop:%d", n), who)); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	for range atOnce {
		if err := <-done; err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "purchases/s")
}
