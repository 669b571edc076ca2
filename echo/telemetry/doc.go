// Package telemetry is what the echo service tells about itself: Prometheus
// metrics, structured logs, the build it was made from and the trace a request
// belongs to. No client identifier becomes a label.
package telemetry
