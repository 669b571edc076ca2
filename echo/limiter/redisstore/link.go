package redisstore

import (
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// renewPause is the least time between two renewals of the connections.
const renewPause = time.Second

// link owns a store's client and replaces it when the server stops accepting
// its connections' credentials: a pool has no other way to log in again.
type link struct {
	credentials *credentials
	dial        func() redis.UniversalClient
	wanted      chan struct{}
	stop        chan struct{}
	stopOnce    sync.Once
	done        sync.WaitGroup
}

func newLink(c *credentials, dial func() redis.UniversalClient) *link {
	return &link{credentials: c, dial: dial, wanted: make(chan struct{}, 1), stop: make(chan struct{})}
}

// renew asks for new connections and does not wait for them.
func (l *link) renew() {
	select {
	case l.wanted <- struct{}{}:
	default: // Asked for already.
	}
}

func (l *link) start(s *Store) {
	l.done.Go(func() {
		for l.waitWanted() {
			l.replace(s)
			if !l.pause() {
				return
			}
		}
	})
}

func (l *link) waitWanted() bool {
	select {
	case <-l.wanted:
		return true
	case <-l.stop:
		return false
	}
}

func (l *link) pause() bool {
	t := time.NewTimer(renewPause)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-l.stop:
		return false
	}
}

// replace puts a new client in the old one's place. Calls under way on the old
// one fail, as they would have for want of credentials.
func (l *link) replace(s *Store) {
	fresh := l.dial()
	old := s.client.Swap(&fresh)
	_ = (*old).Close()
}

// close ends the goroutine and the connections. How a connection ends that
// nobody will use again is of no interest.
func (l *link) close(s *Store) {
	l.stopOnce.Do(func() {
		close(l.stop)
		l.done.Wait()
		_ = (*s.client.Load()).Close()
	})
}
