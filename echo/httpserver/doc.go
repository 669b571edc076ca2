// Package httpserver is the HTTP side of the echo service: it answers every
// request with what it received, within bounds on size, time and memory, and
// lets the client choose the answer's status, delay and headers.
package httpserver
