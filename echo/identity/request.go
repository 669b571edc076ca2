package identity

import "net/netip"

// Protocol is the protocol a request came by.
type Protocol string

const (
	// HTTP is HTTP/1.1 and HTTP/2.
	HTTP Protocol = "HTTP"
	// GRPC is a gRPC call.
	GRPC Protocol = "GRPC"
)

// Request is what the rules look at. A server fills it once per request and
// passes a pointer to it as limiter.Request.Value.
type Request struct {
	Protocol Protocol
	// Method is the HTTP method as sent; POST for gRPC.
	Method string
	// Path is canonical, as CanonicalPath returns it.
	Path string
	// Peer is the connection's remote address; the zero Addr when unknown.
	Peer netip.Addr
	// Header returns all values of a header or metadata key, in order; names are
	// compared without regard to case.
	Header func(name string) []string
}
