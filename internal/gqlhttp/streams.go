package gqlhttp

import "sync"

// streams counts the subscriptions that are running. It is safe for concurrent use.
type streams struct {
	mu       sync.Mutex
	all      int
	byClient map[any]int
}

// acquire counts a subscription of a client until release is called. It returns false if there are too
// many.
func (s *streams) acquire(client any) (release func(), ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all >= maxStreams || s.byClient[client] >= maxStreamsOfClient {
		return nil, false
	}
	if s.byClient == nil {
		s.byClient = make(map[any]int)
	}
	s.all++
	s.byClient[client]++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.all--
		if s.byClient[client]--; s.byClient[client] == 0 {
			delete(s.byClient, client)
		}
	}, true
}
