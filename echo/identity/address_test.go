package identity

import (
	"net/netip"
	"strings"
	"testing"
)

func addresses(t testing.TB, bits int, trusted ...string) *Addresses {
	t.Helper()
	prefixes := make([]netip.Prefix, len(trusted))
	for i, s := range trusted {
		p, err := ParseProxyRange(s)
		if err != nil {
			t.Fatal(err)
		}
		prefixes[i] = p
	}
	a, err := NewAddresses(prefixes, bits)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func forwarded(peer string, lines ...string) *Request {
	r := &Request{Protocol: HTTP, Method: "GET", Path: "/", Header: func(name string) []string {
		if strings.EqualFold(name, "x-forwarded-for") {
			return lines
		}
		return nil
	}}
	if peer != "" {
		r.Peer = netip.MustParseAddr(peer)
	}
	return r
}

// The client is whom the nearest trusted proxy saw, never what a client claims.
func TestClientThroughProxies(t *testing.T) {
	a := addresses(t, 64, "10.0.0.0/8", "fd00::/8")
	for name, c := range map[string]struct {
		r    *Request
		want string
	}{
		"no proxy":                         {forwarded("192.0.2.1"), "192.0.2.1"},
		"untrusted peer's header":          {forwarded("192.0.2.1", "198.51.100.7"), "192.0.2.1"},
		"trusted peer without a header":    {forwarded("10.0.0.1"), "10.0.0.1"},
		"one proxy":                        {forwarded("10.0.0.1", "198.51.100.7"), "198.51.100.7"},
		"forged on the left":               {forwarded("10.0.0.1", "203.0.113.9, 198.51.100.7"), "198.51.100.7"},
		"forged trusted on the left":       {forwarded("10.0.0.1", "10.9.9.9, 198.51.100.7"), "198.51.100.7"},
		"two proxies":                      {forwarded("10.0.0.1", "203.0.113.9, 198.51.100.7, 10.0.0.2"), "198.51.100.7"},
		"lines in order":                   {forwarded("10.0.0.1", "203.0.113.9", "198.51.100.7", "10.0.0.2"), "198.51.100.7"},
		"forged first line":                {forwarded("10.0.0.1", "10.1.1.1", "198.51.100.7"), "198.51.100.7"},
		"all trusted":                      {forwarded("10.0.0.1", "10.0.0.3, 10.0.0.2"), "10.0.0.3"},
		"unreadable hop ends it":           {forwarded("10.0.0.1", "198.51.100.7, unknown, 10.0.0.2"), "10.0.0.2"},
		"unreadable first hop":             {forwarded("10.0.0.1", "198.51.100.7, _hidden"), "10.0.0.1"},
		"empty hop ends it":                {forwarded("10.0.0.1", "198.51.100.7, , 10.0.0.2"), "10.0.0.2"},
		"empty header":                     {forwarded("10.0.0.1", ""), "10.0.0.1"},
		"white space":                      {forwarded("10.0.0.1", " \t198.51.100.7 \t"), "198.51.100.7"},
		"port":                             {forwarded("10.0.0.1", "198.51.100.7:4711"), "198.51.100.7"},
		"bad port":                         {forwarded("10.0.0.1", "198.51.100.7:http"), "10.0.0.1"},
		"no port after the colon":          {forwarded("10.0.0.1", "198.51.100.7:"), "10.0.0.1"},
		"IPv6":                             {forwarded("fd00::1", "2001:db8::7"), "2001:db8::7"},
		"IPv6 in brackets":                 {forwarded("fd00::1", "[2001:db8::7]"), "2001:db8::7"},
		"IPv6 with port":                   {forwarded("fd00::1", "[2001:db8::7]:443"), "2001:db8::7"},
		"IPv6 with rubbish":                {forwarded("fd00::1", "[2001:db8::7]443"), "fd00::1"},
		"open bracket":                     {forwarded("fd00::1", "[2001:db8::7"), "fd00::1"},
		"IPv6 spelt out":                   {forwarded("fd00::1", "2001:0DB8:0:0::0007"), "2001:db8::7"},
		"zone":                             {forwarded("fe80::1%eth0"), "fe80::1"},
		"zone of a hop":                    {forwarded("10.0.0.1", "fe80::1%25"), "fe80::1"},
		"zone of a proxy":                  {forwarded("fd00::1%eth0", "198.51.100.7"), "198.51.100.7"},
		"IPv4 in IPv6":                     {forwarded("::ffff:192.0.2.1"), "192.0.2.1"},
		"IPv4 in IPv6 proxy":               {forwarded("::ffff:10.0.0.1", "::ffff:198.51.100.7"), "198.51.100.7"},
		"IPv4 in IPv6, hexadecimal":        {forwarded("10.0.0.1", "::ffff:c633:6407"), "198.51.100.7"},
		"IPv4 with leading zeros":          {forwarded("10.0.0.1", "198.051.100.007"), "10.0.0.1"},
		"NAT64":                            {forwarded("64:ff9b::c633:6407"), "198.51.100.7"},
		"NAT64 of a trusted range":         {forwarded("64:ff9b::a00:1", "198.51.100.7"), "10.0.0.1"},
		"NAT64 hop of a trusted range":     {forwarded("10.0.0.1", "203.0.113.9, 64:ff9b::a00:2"), "10.0.0.2"},
		"unknown peer":                     {forwarded("", "198.51.100.7"), "invalid IP"},
		"trusted peer without any headers": {&Request{Peer: netip.MustParseAddr("10.0.0.1")}, "10.0.0.1"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := a.Client(c.r).String(); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

// All addresses of one IPv6 network are one client; IPv4 addresses are not.
func TestNameMasksIPv6(t *testing.T) {
	for _, c := range []struct {
		bits       int
		addr, want string
	}{
		{64, "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"},
		{56, "2001:db8:1:2ff::1", "2001:db8:1:200::/56"},
		{128, "2001:db8::1", "2001:db8::1"},
		{64, "192.0.2.7", "192.0.2.7"},
		{1, "192.0.2.7", "192.0.2.7"},
	} {
		a := addresses(t, c.bits)
		if got := a.Name(netip.MustParseAddr(c.addr)); got != c.want {
			t.Errorf("%s in /%d is %s, want %s", c.addr, c.bits, got, c.want)
		}
	}
	for _, bits := range []int{0, -1, 129} {
		if _, err := NewAddresses(nil, bits); err == nil {
			t.Errorf("a prefix length of %d is accepted", bits)
		}
	}
}

// Ranges are read in one spelling each, and never cover everything.
func TestParseProxyRange(t *testing.T) {
	for s, want := range map[string]string{
		"10.0.0.0/8":          "10.0.0.0/8",
		"192.0.2.7/32":        "192.0.2.7/32",
		"2001:db8::/32":       "2001:db8::/32",
		"::ffff:10.0.0.0/104": "10.0.0.0/8",
	} {
		if got, err := ParseProxyRange(s); err != nil || got.String() != want {
			t.Errorf("%s became %s (%v), want %s", s, got, err, want)
		}
	}
	for s, want := range map[string]string{
		"10.0.0.7":          "write 10.0.0.7/32",
		"2001:db8::1":       "write 2001:db8::1/128",
		"10.1.2.3/8":        "write 10.0.0.0/8",
		"0.0.0.0/0":         "list your proxies' ranges",
		"::/0":              "list your proxies' ranges",
		"::ffff:0.0.0.0/96": "list your proxies' ranges",
		"::ffff:0.0.0.0/90": "write the IPv4 range",
		"fe80::1%eth0":      "write e.g. 10.0.0.0/8",
		"10.0.0.0/33":       "write e.g. 10.0.0.0/8",
		"proxy.example.com": "write e.g. 10.0.0.0/8",
		"":                  "write e.g. 10.0.0.0/8",
	} {
		if got, err := ParseProxyRange(s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s became %s (%v), want an error with %q", s, got, err, want)
		}
	}
}

// FuzzClient proves that no header gives an untrusted peer another identity, and
// that a client behind a proxy stays itself whatever it puts to the left.
func FuzzClient(f *testing.F) {
	f.Add("203.0.113.9, 10.0.0.1", "x")
	f.Add("", ",,")
	f.Add("[::1", "64:ff9b::1%eth0")
	a := addresses(f, 64, "10.0.0.0/8")
	f.Fuzz(func(t *testing.T, line, other string) {
		if got := a.Client(forwarded("192.0.2.1", line, other)).String(); got != "192.0.2.1" {
			t.Fatalf("%q %q made an untrusted peer %s", line, other, got)
		}
		const seen = "198.51.100.7"
		if got := a.Client(forwarded("10.0.0.1", other, line+","+seen)).String(); got != seen {
			t.Fatalf("%q %q made a client behind a proxy %s", line, other, got)
		}
		if got := a.Client(forwarded("10.0.0.1", line, other)); got.Is4In6() || got.Zone() != "" {
			t.Fatalf("%q %q gave %s", line, other, got)
		}
	})
}
