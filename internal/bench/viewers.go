package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/holdfast-games/holdfast/replica"
)

// viewers are the clients of a replica.Server, in a process of their own.
type viewers struct {
	ctx     context.Context
	clients []*replica.Client

	mu    sync.Mutex // guards what follows
	took  []time.Duration
	first chan struct{} // closed with the first that is noted; nil: nothing is noted
}

// firstWithin is how long the first change may take.
const firstWithin = time.Minute

// watch connects clients as it is told, and says how long changes took to reach them.
func (o *WorkerOptions) watch(ctx context.Context) error {
	v := &viewers{ctx: ctx}
	defer v.close()
	w := &working{WorkerOptions: o, enc: json.NewEncoder(o.Out), dec: json.NewDecoder(o.In)}
	return w.obey(func(o order) (answer, error) {
		switch {
		case o.URL != "":
			return answer{}, v.connect(o.URL, o.Clients)
		case o.Begin:
			v.begin()
			return answer{}, nil
		}
		return v.report()
	})
}

func (v *viewers) connect(url string, n int) error {
	v.clients = make([]*replica.Client, n)
	return each(64, n, func(i int) error {
		c, err := replica.Dial(url, playerID(i), nil)
		if err != nil {
			return err
		}
		v.clients[i] = c
		c.Replica().OnUpdated("coins", v.updated)
		return c.WaitLoaded(v.ctx)
	})
}

// updated is told of a change, whose value is the time of the update.
func (v *viewers) updated(value json.RawMessage) {
	now := time.Now()
	at, err := strconv.ParseInt(string(value), 10, 64)
	v.mu.Lock()
	defer v.mu.Unlock()
	if err != nil || v.first == nil {
		return
	}
	if v.took = append(v.took, now.Sub(time.Unix(0, at))); len(v.took) == 1 {
		close(v.first)
	}
}

func (v *viewers) begin() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.first, v.took = make(chan struct{}), nil
}

func (v *viewers) report() (answer, error) {
	select {
	case <-v.first:
	case <-v.ctx.Done():
	case <-time.After(firstWithin):
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	for i, c := range v.clients {
		if err := c.Err(); err != nil {
			return answer{}, fmt.Errorf("client %d: %w", i, err)
		}
	}
	if len(v.took) == 0 {
		return answer{}, fmt.Errorf("no change has reached any of %d clients", len(v.clients))
	}
	return answer{Took: quantile(v.took, 0.99), Half: median(v.took), Count: len(v.took)}, nil
}

func (v *viewers) close() {
	for _, c := range v.clients {
		if c != nil {
			c.CloseNow()
		}
	}
	for _, c := range v.clients {
		if c != nil {
			<-c.Done()
		}
	}
}
