package mailbox_test

import (
	"slices"
	"testing"
	"time"

	"github.com/holdfast-games/holdfast/audit"
	"github.com/holdfast-games/holdfast/mailbox"
	"github.com/holdfast-games/holdfast/profile"
)

func TestOperatorsActsAreInTheAuditLog(t *testing.T) {
	bubble(t, func(w *world) {
		a := w.server("a", nil)
		w.close(a.load("alice"))
		ann, box := a.As("ann"), a.box.As("ann")
		for range 2 {
			if _, err := ann.Send(w.ctx, "alice", profile.Message{ID: "m1", Topic: "gift", Reason: "lost sword"}, nil); err != nil {
				w.Fatal(err)
			}
		}
		if _, err := ann.Send(w.ctx, "alice", profile.Message{ID: "m2", Topic: "gift"}, nil); err == nil {
			w.Error("an operator's mail without a reason was sent")
		}
		time.Sleep(time.Millisecond) // acts of one moment have no order
		for range 2 {
			if _, err := box.Grant(w.ctx, mailbox.Grant{ID: "g", Topic: "gift", Reason: "sorry"}); err != nil {
				w.Fatal(err)
			}
		}
		time.Sleep(time.Millisecond) // acts of one moment have no order
		for range 2 {
			if _, err := box.Cancel(w.ctx, "g", "too much"); err != nil {
				w.Fatal(err)
			}
		}
		var log []string
		for act, err := range audit.Log(w.ctx, a.Session().DB(), &audit.LogOptions{By: "ann"}) {
			if err != nil {
				w.Fatal(err)
			}
			log = append(log, act.What+": "+act.Reason)
		}
		if want := []string{"mail: lost sword", "grant: sorry", "cancel grant: too much"}; !slices.Equal(log, want) {
			w.Errorf("the audit log says %q, want %q", log, want)
		}
	})
}
