package landfall

// Kind says how an edge carries a service.
type Kind string

// The kinds. The empty Kind is HTTP.
const (
	HTTP Kind = "http" // requests, WebSockets and streams, by host name
	TCP  Kind = "tcp"  // bytes, after TLS has ended at the edge
)

// UpstreamChat is the upstream of the chat that the origin itself runs.
const UpstreamChat = "chat"

// Service is one host name that the edges answer for.
type Service struct {
	Host     string `json:"host"`           // fully qualified, lower case, no final dot
	Kind     Kind   `json:"kind,omitempty"` // empty means HTTP
	Upstream string `json:"upstream"`       // "chat", or a URL that the home region reaches

	// External says that Host is outside the network's domain: its owner's
	// zone has a CNAME to its SteeredName.
	External bool `json:"external,omitzero"`

	// Port is where edges end TLS for a service of kind tcp; 0 is the port
	// of HTTPS, where the server name of the handshake (RFC 6066, 3) tells
	// services apart.
	Port uint16 `json:"port,omitzero"`
	// Proxy says how the upstream of a service of kind tcp learns who the
	// client is; empty means ProxyV2.
	Proxy Proxy `json:"proxy,omitempty"`
}

// Proxy is a way to tell an upstream who the client is.
type Proxy string

// The ways. The empty Proxy is ProxyV2.
const (
	ProxyV2  Proxy = "v2"  // a header of the PROXY protocol, version 2, before the first byte
	ProxyOff Proxy = "off" // not at all: the upstream sees the client's bytes alone
)

// EffectiveProxy is Proxy with its default filled in.
func (s Service) EffectiveProxy() Proxy {
	if s.Proxy == "" {
		return ProxyV2
	}
	return s.Proxy
}

// MeshService names what a node offers to its peers inside the mesh.
type MeshService string

// The services of the mesh.
const (
	MeshHTTP    MeshService = "http"    // the home region's upstreams, by Host
	MeshMap     MeshService = "map"     // signed maps, long-polled
	MeshCerts   MeshService = "certs"   // certificates for the edges
	MeshACME    MeshService = "acme"    // challenges for the name servers
	MeshSamples MeshService = "samples" // measured latency, edge to name servers
	MeshProbes  MeshService = "probes"  // health votes between vantage points
	MeshChat    MeshService = "chat"    // the chat of the origin
	MeshAdmin   MeshService = "admin"   // status, metrics and health
	MeshTCP     MeshService = "tcp"     // services of kind tcp, each stream behind a PROXY header
)

// MeshServices are all services of the mesh. The position of each is its
// number on the wire and never changes: new ones go to the end.
func MeshServices() []MeshService {
	return []MeshService{MeshHTTP, MeshMap, MeshCerts, MeshACME, MeshSamples, MeshProbes, MeshChat, MeshAdmin, MeshTCP}
}
