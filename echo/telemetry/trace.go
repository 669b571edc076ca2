package telemetry

const (
	traceParentLength = 55
	traceIDStart      = 3
	traceIDEnd        = 35
)

// TraceID returns the trace id in a traceparent header (W3C Trace Context,
// section 3.2), or "" when the value is not one.
func TraceID(traceparent string) string {
	if len(traceparent) < traceParentLength || traceparent[2] != '-' || traceparent[35] != '-' || traceparent[52] != '-' {
		return ""
	}
	version, id := traceparent[:2], traceparent[traceIDStart:traceIDEnd]
	if !isLowerHex(version) || version == "ff" || !isLowerHex(traceparent[36:52]) || !isLowerHex(traceparent[53:55]) {
		return ""
	}
	// Only later versions may append fields, and only after another dash.
	if rest := traceparent[traceParentLength:]; rest != "" && (version == "00" || rest[0] != '-') {
		return ""
	}
	if !isLowerHex(id) || allZero(id) || allZero(traceparent[36:52]) {
		return ""
	}
	return id
}

func isLowerHex(s string) bool {
	for i := range len(s) {
		if (s[i] < '0' || s[i] > '9') && (s[i] < 'a' || s[i] > 'f') {
			return false
		}
	}
	return true
}

func allZero(s string) bool {
	for i := range len(s) {
		if s[i] != '0' {
			return false
		}
	}
	return true
}
