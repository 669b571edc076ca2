package identity

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// nat64 is the well-known prefix of RFC 6052; the IPv4 address stands in the
// last four bytes.
var nat64 = netip.MustParsePrefix("64:ff9b::/96")

// Addresses finds a request's client address through trusted proxies.
// It is immutable and safe for concurrent use.
type Addresses struct {
	trusted  []netip.Prefix
	ipv6Bits int
}

// NewAddresses trusts the proxies whose addresses lie in the given ranges, as
// ParseProxyRange returns them, and takes all addresses that share their first
// ipv6Bits (1 to 128) for one IPv6 client.
func NewAddresses(trusted []netip.Prefix, ipv6Bits int) (*Addresses, error) {
	if ipv6Bits < 1 || ipv6Bits > 128 {
		return nil, fmt.Errorf("the IPv6 prefix length must be between 1 and 128, got %d", ipv6Bits)
	}
	return &Addresses{trusted: slices.Clone(trusted), ipv6Bits: ipv6Bits}, nil
}

// ParseProxyRange reads a range of proxy addresses in CIDR notation. It refuses
// a range of everything: whoever trusts all hops lets each client choose its
// name. An error says what is wrong and, after a semicolon, what to write.
func ParseProxyRange(s string) (netip.Prefix, error) {
	prefix, err := netip.ParsePrefix(s)
	if err != nil {
		if addr, err := netip.ParseAddr(s); err == nil && addr.Zone() == "" {
			return netip.Prefix{}, fmt.Errorf("must have a prefix length; write %s/%d", s, addr.BitLen())
		}
		return netip.Prefix{}, errors.New("must be an address range in CIDR notation; write e.g. 10.0.0.0/8")
	}
	if mapped := prefix.Addr(); mapped.Is4In6() {
		if prefix.Bits() < 96 {
			return netip.Prefix{}, errors.New("must not cover more than the IPv4-mapped addresses; write the IPv4 range")
		}
		prefix = netip.PrefixFrom(mapped.Unmap(), prefix.Bits()-96)
	}
	if prefix.Bits() == 0 {
		return netip.Prefix{}, errors.New("must not trust every address, or each client could choose its own; list your proxies' ranges")
	}
	if prefix != prefix.Masked() {
		return netip.Prefix{}, fmt.Errorf("must not have bits set beyond its prefix length; write %s", prefix.Masked())
	}
	return prefix, nil
}

// Client returns the address of the client that sent r: the peer's, or when the
// peer is a trusted proxy, the one that X-Forwarded-For's hops, read from right
// to left, name last before an untrusted or unreadable one ends the trust. The
// zero Addr means unknown. IPv4 in IPv6 is unwrapped and a zone is dropped.
func (a *Addresses) Client(r *Request) netip.Addr {
	client := plain(r.Peer)
	if client.IsValid() && a.trusts(client) && r.Header != nil {
		client = a.forwarded(client, r.Header("x-forwarded-for"))
	}
	return unwrapNAT64(client)
}

func unwrapNAT64(addr netip.Addr) netip.Addr {
	if !nat64.Contains(addr) {
		return addr
	}
	b := addr.As16()
	return netip.AddrFrom4([4]byte(b[12:]))
}

// forwarded walks the hops that the trusted client names.
func (a *Addresses) forwarded(client netip.Addr, lines []string) netip.Addr {
	for _, line := range slices.Backward(lines) {
		for line, more := line, true; more; {
			var hop string
			line, hop, more = cutLast(line)
			addr, ok := parseHop(hop)
			if !ok {
				return client
			}
			client = addr
			if !a.trusts(client) {
				return client
			}
		}
	}
	return client
}

func cutLast(list string) (before, last string, more bool) {
	i := strings.LastIndexByte(list, ',')
	if i < 0 {
		return "", list, false
	}
	return list[:i], list[i+1:], true
}

// trusts looks at the address before NAT64 is unwrapped: an IPv4 range vouches
// for nobody who comes from elsewhere through a translator.
func (a *Addresses) trusts(addr netip.Addr) bool {
	for _, prefix := range a.trusted {
		if prefix.Contains(addr) {
			return true
		}
	}
	return false
}

// Name returns the text that names a client's bucket: an IPv4 address, or the
// IPv6 range that the client's network is taken to have to itself.
func (a *Addresses) Name(addr netip.Addr) string {
	if !addr.Is6() || a.ipv6Bits == 128 {
		return addr.String()
	}
	return netip.PrefixFrom(addr, a.ipv6Bits).Masked().String()
}

// parseName reads what Name returns, or any other spelling of a client's address.
func (a *Addresses) parseName(s string) (string, error) {
	addr, err := netip.ParseAddr(s)
	if err != nil {
		prefix, err := netip.ParsePrefix(s)
		addr = plain(prefix.Addr())
		if err != nil || prefix.Addr() != addr || a.Name(addr) != prefix.Masked().String() {
			return "", errors.New("must be one client's address, as 192.0.2.7 or 2001:db8::1")
		}
	}
	return a.Name(unwrapNAT64(plain(addr))), nil
}

// plain unwraps IPv4 in IPv6 and drops the zone, which names an interface of
// this host and no part of the client.
func plain(addr netip.Addr) netip.Addr { return addr.Unmap().WithZone("") }

// parseHop reads one element of X-Forwarded-For, which may carry a port.
func parseHop(s string) (netip.Addr, bool) {
	s = strings.Trim(s, " \t")
	host, port := s, ""
	switch {
	case strings.HasPrefix(s, "["):
		end := strings.IndexByte(s, ']')
		if end < 0 {
			return netip.Addr{}, false
		}
		host, port = s[1:end], s[end+1:]
		if port != "" && port[0] != ':' {
			return netip.Addr{}, false
		}
	case strings.Count(s, ":") == 1:
		i := strings.IndexByte(s, ':')
		host, port = s[:i], s[i:]
	}
	addr, err := netip.ParseAddr(host)
	if err != nil || !isPort(port) {
		return netip.Addr{}, false
	}
	return plain(addr), true
}

// isPort reports whether s is nothing, or a colon and a port number.
func isPort(s string) bool {
	if s == "" {
		return true
	}
	digits := s[1:]
	return len(digits) >= 1 && len(digits) <= 5 && strings.Trim(digits, "0123456789") == ""
}
