package origin

// Stats are the numbers of a Server.
type Stats struct {
	Posted      uint64            `metric:"messages_posted_total" help:"Messages committed."`
	Repeated    uint64            `metric:"messages_repeated_total" help:"Posts answered with the message that their UUID has already."`
	Changed     uint64            `metric:"messages_changed_total" help:"Edits, tag changes and deletions committed."`
	Delivered   uint64            `metric:"events_delivered_total" help:"Events handed to subscribers."`
	Cut         uint64            `metric:"subscribers_cut_total" help:"Subscribers cut because they were too slow."`
	Subscribers int64             `metric:"subscribers" help:"Subscribers now."`
	Streams     map[string]int64  `metric:"streams" label:"encoding" help:"Streams open now, by encoding."`
	Sockets     int64             `metric:"sockets" help:"WebSocket connections open now."`
	Requests    map[string]uint64 `metric:"requests_total" label:"class" help:"Requests answered, by class of status."`
	Denied      uint64            `metric:"credentials_denied_total" help:"Requests and sign-ins with wrong credentials."`
}

// Stats returns the numbers of now.
func (s *Server) Stats() Stats {
	b := s.backend.Stats()
	out := Stats{
		Posted: b.Posted, Repeated: b.Repeated, Changed: b.Changed,
		Delivered: b.Delivered, Cut: b.Cut, Subscribers: b.Subscribers,
		Streams: s.stream.Stats().Open, Sockets: s.socket.Stats().Open,
		Requests: map[string]uint64{}, Denied: s.auth.Denied(),
	}
	for i, class := range []string{"1xx", "2xx", "3xx", "4xx", "5xx"} {
		out.Requests[class] = s.requests.byClass[i+1].Load()
	}
	return out
}
