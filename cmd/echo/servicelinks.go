package main

import (
	"net/netip"
	"regexp"
	"strconv"
	"strings"
)

// Kubernetes gives every pod variables for the Services of its namespace, and a
// Service named echo, or echo-something, makes them begin with ECHO_. A variable
// counts as one of them only when its value has the shape that Kubernetes writes
// as well, so that a mistyped setting is not taken for one.
var (
	linkHost     = regexp.MustCompile(`_SERVICE_HOST$`)
	linkPort     = regexp.MustCompile(`_SERVICE_PORT(_[A-Z0-9_]+)?$`)
	linkURL      = regexp.MustCompile(`_PORT(_\d+_(TCP|UDP|SCTP))?$`)
	linkURLPart  = regexp.MustCompile(`_PORT_\d+_(TCP|UDP|SCTP)_(PROTO|PORT|ADDR)$`)
	linkProtocol = regexp.MustCompile(`^(tcp|udp|sctp)$`)
)

// isServiceLink reports whether Kubernetes made the variable.
func isServiceLink(name, value string) bool {
	switch {
	case linkHost.MatchString(name):
		return isAddress(value)
	case linkPort.MatchString(name):
		return isPort(value)
	case linkURLPart.MatchString(name):
		return isPort(value) && strings.HasSuffix(name, "_PORT") ||
			isAddress(value) && strings.HasSuffix(name, "_ADDR") ||
			linkProtocol.MatchString(value) && strings.HasSuffix(name, "_PROTO")
	case linkURL.MatchString(name):
		return isLinkURL(value)
	}
	return false
}

// isAddress accepts what a headless Service has, too.
func isAddress(s string) bool {
	_, err := netip.ParseAddr(s)
	return err == nil || s == "None"
}

func isPort(s string) bool {
	port, err := strconv.ParseUint(s, 10, 16)
	return err == nil && port > 0
}

func isLinkURL(s string) bool {
	protocol, address, ok := strings.Cut(s, "://")
	if !ok || !linkProtocol.MatchString(protocol) {
		return false
	}
	_, err := netip.ParseAddrPort(address)
	return err == nil
}
