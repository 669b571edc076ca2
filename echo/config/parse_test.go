package config

import (
	"errors"
	"os"
	"reflect"
	"strings"
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

// Every field of the file has a shape, so no field goes unchecked.
func TestEveryFieldHasAShape(t *testing.T) {
	var missing []string
	var walk func(typ reflect.Type, name string)
	walk = func(typ reflect.Type, name string) {
		if _, ok := shapes[name]; !ok && name != "" {
			missing = append(missing, name)
		}
		switch typ.Kind() {
		case reflect.Pointer:
			walk(typ.Elem(), name)
		case reflect.Slice:
			walk(typ.Elem(), name+"[]")
		case reflect.Struct:
			for i, f := range fieldsOf(typ) {
				walk(typ.Field(i).Type, f.shape)
			}
		case reflect.String:
			if s := shapes[name]; len(s.oneOf) == 0 && s.check == nil {
				t.Errorf("%s is text without a check", name)
			}
		}
	}
	walk(reflect.TypeFor[File](), "")
	if len(missing) > 0 {
		t.Errorf("fields without a shape: %v", missing)
	}
}

// Whatever is left out gets its default, list members included, and headers
// tells "left out" from "none".
func TestDefaults(t *testing.T) {
	f := parse(t, `
version: 1
mode: Shadow
rules:
- name: a
  match: [{path: {value: /v1}}]
  keys: [{source: Header, name: x}]
  limit: {requests: 7, periodSeconds: 60}
  overrides: [{name: gold, values: [acme], limit: {requests: 9, periodSeconds: 1}}]
- {name: b, mode: Enforce, limit: {requests: 7, periodSeconds: 60, burst: 3}, cost: 2}
`)
	want := &File{
		Version: 1, Replicas: 1, Mode: ModeShadow,
		Rules: []Rule{{
			Name: "a", Mode: ModeShadow, OnMissingKey: MissingShared, Cost: 1,
			Match:     []Match{{Path: &PathMatch{Type: PathPrefix, Value: "/v1"}}},
			Keys:      []Key{{Source: SourceHeader, Name: "x"}},
			Limit:     Limit{Requests: 7, PeriodSeconds: 60, Burst: 7},
			Overrides: []Override{{Name: "gold", Values: []string{"acme"}, Action: ActionLimit, Limit: &Limit{Requests: 9, PeriodSeconds: 1, Burst: 9}}},
		}, {
			Name: "b", Mode: ModeEnforce, OnMissingKey: MissingShared, Cost: 2,
			Limit: Limit{Requests: 7, PeriodSeconds: 60, Burst: 3},
		}},
		ClientIP: ClientIP{IPv6PrefixLength: 64},
		Store:    Store{Type: StoreRedis, OnOutage: OutageShare, TimeoutMilliseconds: 25},
		Headers:  []string{HeadersIETF, HeadersXRateLimit},
	}
	if !reflect.DeepEqual(f, want) {
		t.Errorf("got  %+v\nwant %+v", f, want)
	}
	none := parse(t, minimal+"headers: []\n")
	if none.Headers == nil || len(none.Headers) != 0 {
		t.Errorf("headers: [] became %#v, want an empty list that is not nil", none.Headers)
	}
}

// JSON is YAML, so a file that a JSON tool wrote is read too.
func TestParseReadsJSON(t *testing.T) {
	parse(t, `{"version": 1, "rules": [{"name": "a", "limit": {"requests": 1, "periodSeconds": 1}}]}`)
}

// A pasted spec.rules may be as large as the bounds allow.
func TestParseReadsTheLargestLists(t *testing.T) {
	f := parse(t, minimal)
	f.Rules[0].Keys = []Key{{Source: SourceHeader, Name: strings.Repeat("x", 256)}}
	for i := range 64 {
		o := Override{Name: "o" + decimal(i), Action: ActionExempt}
		for j := range 16 {
			o.Values = append(o.Values, strings.Repeat("v", 120)+decimal(i)+"-"+decimal(j))
		}
		f.Rules[0].Overrides = append(f.Rules[0].Overrides, o)
	}
	assertRoundTrip(t, f)
}

// A file above the bound is refused before it is read, and is never rendered.
func TestSizeIsBounded(t *testing.T) {
	_, err := Parse([]byte(minimal + "#" + strings.Repeat("x", MaxBytes)))
	assertProblem(t, err, "more than the 1048576 bytes allowed")

	f := parse(t, minimal)
	for i := range 64 {
		r := f.Rules[0]
		r.Name, r.Keys = "r"+decimal(i), []Key{{Source: SourceHeader, Name: "x"}}
		for j := range 64 {
			o := Override{Name: "o" + decimal(j), Action: ActionExempt}
			for k := range 16 {
				o.Values = append(o.Values, strings.Repeat("v", 100)+decimal(j)+"-"+decimal(k))
			}
			r.Overrides = append(r.Overrides, o)
		}
		f.Rules = append(f.Rules, r)
	}
	f.Rules = f.Rules[1:]
	_, err = Render(f)
	assertProblem(t, err, "more than the 1048576 bytes allowed")
}

const minimal = `version: 1
rules:
- name: a
  limit: {requests: 10, periodSeconds: 60}
`

func decimal(i int) string { return string(rune('0'+i/10)) + string(rune('0'+i%10)) }

func parse(t *testing.T, text string) *File {
	t.Helper()
	f, err := Parse([]byte(text))
	if err != nil {
		t.Fatalf("%v\nin\n%s", err, text)
	}
	return f
}

func assertProblem(t *testing.T, err error, text string) {
	t.Helper()
	if _, ok := errors.AsType[*InvalidError](err); !ok {
		t.Fatalf("got %v, want an *InvalidError", err)
	}
	if !strings.Contains(err.Error(), text) {
		t.Errorf("got\n%v\nwant it to say %q", err, text)
	}
}

// fataler is a *testing.T or a *rapid.T.
type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

// assertRoundTrip proves that what is rendered from f reads back as f, renders
// to the same bytes again and has the same hashes.
func assertRoundTrip(t fataler, f *File) {
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
