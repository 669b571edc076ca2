package v1alpha1_test

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/echo-operator/echo-operator/api/v1alpha1"
	"github.com/echo-operator/echo-operator/echo/config"
)

// TestRulesCanBePastedIntoAFile: what the limits file shares with a policy has
// the same names and shapes in both, so that spec.rules can be pasted.
func TestRulesCanBePastedIntoAFile(t *testing.T) {
	for _, pair := range []struct{ policy, file any }{
		{v1alpha1.Rule{}, config.Rule{}},
		{v1alpha1.ClientIP{}, config.ClientIP{}},
		{v1alpha1.Store{}, config.Store{}},
	} {
		policy, file := reflect.TypeOf(pair.policy), reflect.TypeOf(pair.file)
		t.Run(policy.Name(), func(t *testing.T) {
			compareShapes(t, policy.Name(), policy, file)
		})
	}
	top := fieldsOf(reflect.TypeFor[v1alpha1.RateLimitPolicySpec]())
	for name, field := range fieldsOf(reflect.TypeFor[config.File]()) {
		if slices.Contains([]string{"version", "policy", "replicas"}, name) {
			continue // The operator fills these in.
		}
		if _, found := top[name]; !found {
			t.Errorf("the file's %s (%s) is no field of spec", name, field)
		}
	}
}

func compareShapes(t *testing.T, path string, policy, file reflect.Type) {
	t.Helper()
	policy, file = element(policy), element(file)
	if policy.Kind() != file.Kind() {
		t.Errorf("%s: %s in the policy, %s in the file", path, policy, file)
		return
	}
	switch policy.Kind() {
	case reflect.Slice:
		compareShapes(t, path+"[]", policy.Elem(), file.Elem())
	case reflect.Struct:
		compareFields(t, path, fieldsOf(policy), fieldsOf(file))
	default:
	}
}

func compareFields(t *testing.T, path string, policy, file map[string]reflect.Type) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(policy)) {
		if _, found := file[name]; !found {
			t.Errorf("%s.%s is missing in the file", path, name)
			continue
		}
		compareShapes(t, fmt.Sprintf("%s.%s", path, name), policy[name], file[name])
	}
	for _, name := range slices.Sorted(maps.Keys(file)) {
		if _, found := policy[name]; !found {
			t.Errorf("%s.%s is missing in the policy", path, name)
		}
	}
}

func element(t reflect.Type) reflect.Type {
	if t.Kind() == reflect.Pointer {
		return t.Elem()
	}
	return t
}

func fieldsOf(t reflect.Type) map[string]reflect.Type {
	fields := map[string]reflect.Type{}
	for field := range t.Fields() {
		if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); name != "" {
			fields[name] = field.Type
		}
	}
	return fields
}
