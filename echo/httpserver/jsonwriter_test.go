package httpserver

import (
	"encoding/json"
	"testing"

	"pgregory.net/rapid"
)

// What is written reads back as the same text, with encoding/json as the judge of
// what is JSON and of what stands for bytes that are not UTF-8.
func TestStringsReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := string(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes")) + rapid.String().Draw(t, "text")
		var got, want string
		if err := json.Unmarshal(appendJSONString(nil, s), &got); err != nil {
			t.Fatalf("%q: %v", s, err)
		}
		reference, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(reference, &want); err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Fatalf("%q: got %q, want %q", s, got, want)
		}
	})
}

func TestListsAreSortedAndSeparated(t *testing.T) {
	j := jsonWriter{buf: []byte("{")}
	j.lists("h", map[string][]string{"b": {"1", "2"}, "a": {}, "c": {"{"}}, func(_, v string) string { return v })
	j.number("n", -1)
	j.boolean("t", true)
	j.textUnlessEmpty("e", "")
	j.close('}')
	if got, want := string(j.buf), `{"h":{"a":[],"b":["1","2"],"c":["{"]},"n":-1,"t":true}`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
