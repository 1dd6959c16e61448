package bus_test

import (
	"context"
	"fmt"
	"log"

	"github.com/holdfast-games/holdfast/bus"
)

// open returns a server's end of a bus within this process.
func open(l *bus.Local) *bus.Bus {
	b, err := l.Open(nil)
	if err != nil {
		log.Fatal(err)
	}
	return b
}

// Two servers within one process talk over a Local.
func ExampleLocal() {
	l := bus.NewLocal()
	east, west := open(l), open(l)
	defer east.Close()
	defer west.Close()
	done := make(chan struct{})
	cancel, err := west.Subscribe("chat", func(m bus.Message) {
		fmt.Printf("west got %q, its own: %v\n", m.Data, m.Own)
		close(done)
	})
	if err != nil {
		log.Fatal(err)
	}
	defer cancel()
	if err := east.Publish(context.Background(), "chat", []byte("good morning")); err != nil {
		log.Fatal(err)
	}
	<-done
	// Output: west got "good morning", its own: false
}

// A subscriber that may have missed a message looks into the database: this one
// came when others had been told something already.
func ExampleMessage() {
	l := bus.NewLocal()
	east, west := open(l), open(l)
	defer east.Close()
	defer west.Close()
	heard := make(chan struct{})
	say := func(text string) {
		if err := east.Publish(context.Background(), "news", []byte(text)); err != nil {
			log.Fatal(err)
		}
		<-heard
	}
	listen := func(b *bus.Bus, fn func(bus.Message)) {
		if _, err := b.Subscribe("news", fn); err != nil {
			log.Fatal(err)
		}
	}
	listen(east, func(bus.Message) { heard <- struct{}{} })
	say("east is open")
	told := make(chan struct{})
	listen(west, func(m bus.Message) {
		if m.Missed {
			fmt.Println("west reads the news in the database")
			return
		}
		fmt.Printf("west got %q\n", m.Data)
		close(told)
	})
	say("east has a market")
	<-told
	// Output:
	// west reads the news in the database
	// west got "east has a market"
}

// A server asks whoever serves a topic.
func ExampleBus_Request() {
	l := bus.NewLocal()
	lobby, arena := open(l), open(l)
	defer lobby.Close()
	defer arena.Close()
	cancel, err := arena.Serve("arena/seats", func(_ context.Context, m bus.Message) ([]byte, error) {
		return fmt.Appendf(nil, "seats for %s: 3", m.Data), nil
	})
	if err != nil {
		log.Fatal(err)
	}
	defer cancel()
	reply, err := lobby.Request(context.Background(), "arena/seats", []byte("the red team"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s\n", reply)
	// Output: seats for the red team: 3
}
