package config

import (
	"errors"
	"os"
	"testing"

	"github.com/echo-operator/echo-operator/echo/identity"
)

// FuzzParse proves that no input makes Parse panic, that what it refuses has a
// reason, and that what it accepts compiles and survives rendering.
func FuzzParse(f *testing.F) {
	sample, err := os.ReadFile("../../config/samples/limits.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sample)
	f.Add([]byte(minimal))
	f.Add([]byte("version: &a 1\nrules: *a\n---\n<<: {}\n"))
	f.Add([]byte(`{"version": 1, "rules": [{"name": "a", "limit": {"requests": 1, "periodSeconds": 1}}]}`))
	f.Add([]byte(minimal + "  keys: [{source: ClientIP}]\n  overrides: [{name: o, values: ['::1'], action: Deny}]\n"))
	f.Add([]byte("? # a\n- b\n: # c\n  - !d e\n# f\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := Parse(data)
		if err != nil {
			var invalid *InvalidError
			if !errors.As(err, &invalid) || len(invalid.Problems) == 0 {
				t.Fatalf("refused without a reason: %v", err)
			}
			return
		}
		assertRoundTrip(t, file)
		compiled, err := file.Compile()
		if err != nil {
			t.Fatalf("parsed but not compiled: %v", err)
		}
		for _, rule := range compiled.Policy.Rules {
			rule.Identify(&identity.Request{Protocol: identity.HTTP, Method: "GET", Path: "/v1"}, nil)
		}
	})
}
