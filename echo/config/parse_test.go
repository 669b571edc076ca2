package config

import (
	"os"
	"reflect"
	"testing"
)

// The sample that the README tells to run is valid, and what is rendered from it
// reads back as the same limits.
func TestSampleParsesAndRoundTrips(t *testing.T) {
	data, err := os.ReadFile("../../config/samples/limits.yaml")
	if err != nil {
		t.Fatal(err)
	}
	f, err := Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	assertRoundTrip(t, f)
}

func assertRoundTrip(t interface {
	Helper()
	Fatalf(format string, args ...any)
}, f *File) {
	t.Helper()
	rendered, err := Render(f)
	if err != nil {
		t.Fatalf("render: %v", err)
	}
	again, err := Parse(rendered)
	if err != nil {
		t.Fatalf("parse what was rendered: %v\n%s", err, rendered)
	}
	if !reflect.DeepEqual(f.withDefaults(), again) {
		t.Fatalf("rendered and parsed, the file changed:\n%+v\n%+v\n%s", f.withDefaults(), again, rendered)
	}
	twice, err := Render(again)
	if err != nil || Hash(twice) != Hash(rendered) {
		t.Fatalf("rendering is not deterministic (%v):\n%s\n%s", err, rendered, twice)
	}
	before, err := LimitsHash(f)
	if err != nil {
		t.Fatalf("limits hash: %v", err)
	}
	if after, err := LimitsHash(again); err != nil || after != before {
		t.Fatalf("limits hash %s became %s (%v)", before, after, err)
	}
}
