package config

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// decoder walks a YAML tree and a Go type together. It goes on after a problem,
// so that several are told at once.
type decoder struct{ *problems }

// value decodes n, whose place in the file is path, into out.
func (d decoder) value(n *yaml.Node, out reflect.Value, path string, s shape, name string) {
	d.where[path] = position{n.Line, n.Column}
	if what, remedy := refused(n); what != "" {
		d.add(path, what, remedy)
		return
	}
	switch out.Kind() {
	case reflect.Pointer:
		out.Set(reflect.New(out.Type().Elem()))
		d.value(n, out.Elem(), path, s, name)
	case reflect.Struct:
		d.mapping(n, out, path)
	case reflect.Slice:
		d.sequence(n, out, path, s, name)
	case reflect.String:
		d.text(n, out, path, s)
	default:
		d.number(n, out, path, s)
	}
}

// refused names the YAML features that a limits file does without: each is a way
// to make a file mean something else than it seems to.
func refused(n *yaml.Node) (what, remedy string) {
	switch {
	case n.Kind == yaml.AliasNode:
		return "must not use a YAML alias (*)", "write the value out"
	case n.Anchor != "":
		return "must not use a YAML anchor (&)", "remove it and write the value out where it is needed"
	case n.Style&yaml.TaggedStyle != 0:
		return "must not use a YAML tag (!)", "remove it"
	case n.Kind == yaml.ScalarNode && n.Tag == "!!null":
		return "has no value", "write one or remove the line"
	}
	return "", ""
}

func (d decoder) mapping(n *yaml.Node, out reflect.Value, path string) {
	if n.Kind != yaml.MappingNode {
		d.add(path, "must be a mapping of field names to values, got "+kind(n), "")
		return
	}
	fields := fieldsOf(out.Type())
	seen := make(map[string]int, len(fields))
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		index, ok := d.key(key, path, fields, seen)
		if !ok {
			continue
		}
		f := fields[index]
		d.value(value, out.Field(index), join(path, f.name), shapes[f.shape], f.shape)
	}
	for _, f := range fields {
		if s := shapes[f.shape]; s.required && seen[f.name] == 0 {
			field := join(path, f.name)
			d.add(field, "is missing", s.remedy(field))
		}
	}
}

// key returns the index of the field that key names, and reports names that are
// unknown or written twice.
func (d decoder) key(key *yaml.Node, path string, fields []field, seen map[string]int) (int, bool) {
	at := position{key.Line, key.Column}
	if what, remedy := refused(key); what != "" {
		d.addAt(at, path, "has a field name that "+what, remedy)
		return 0, false
	}
	if key.Tag == "!!merge" {
		d.addAt(at, path, "must not use a YAML merge key (<<)", "write the fields out")
		return 0, false
	}
	if key.Kind != yaml.ScalarNode {
		d.addAt(at, path, "has a field name that is "+kind(key), "")
		return 0, false
	}
	index := slices.IndexFunc(fields, func(f field) bool { return f.name == key.Value })
	if index < 0 {
		d.unknown(at, path, key.Value, fields)
		return 0, false
	}
	if line := seen[key.Value]; line != 0 {
		d.addAt(at, join(path, key.Value), fmt.Sprintf("is written twice, first in line %d", line), "remove one of them")
		return 0, false
	}
	seen[key.Value] = key.Line
	return index, true
}

func (d decoder) unknown(at position, path, name string, fields []field) {
	known := make([]string, len(fields))
	for i, f := range fields {
		known[i] = f.name
	}
	if d.full() {
		d.addAt(at, path, "", "")
		return
	}
	remedy := "the fields here are " + strings.Join(known, ", ")
	if near := nearest(name, known); near != "" {
		remedy = "did you mean " + near + "?"
	}
	if what, _ := token(name); what != "" || len(name) > 64 {
		name = quote(name)
	}
	d.addAt(at, join(path, name), "is not a known field", remedy)
}

func (d decoder) sequence(n *yaml.Node, out reflect.Value, path string, s shape, name string) {
	if n.Kind != yaml.SequenceNode {
		d.add(path, "must be a list, got "+kind(n), "write each member on a line that begins with a hyphen")
		return
	}
	s.checkCount(d.problems, path, len(n.Content))
	if !d.clean(path) {
		return
	}
	out.Set(reflect.MakeSlice(out.Type(), len(n.Content), len(n.Content)))
	members := name + "[]"
	for i, child := range n.Content {
		d.value(child, out.Index(i), item(path, i), shapes[members], members)
	}
}

func (d decoder) text(n *yaml.Node, out reflect.Value, path string, s shape) {
	switch {
	case n.Kind != yaml.ScalarNode:
		d.add(path, "must be text, got "+kind(n), s.remedy(path))
	case n.Tag != "!!str":
		d.add(path, "must be text, got "+s.show(n), "put it in quotes")
	default:
		out.SetString(n.Value)
		s.checkText(d.problems, path, n.Value)
	}
}

// number accepts plain decimal digits only: YAML's octal, hexadecimal, grouped
// and floating numbers are read differently by different parsers.
func (d decoder) number(n *yaml.Node, out reflect.Value, path string, s shape) {
	v, err := strconv.ParseInt(n.Value, 10, 64)
	plain := n.Kind == yaml.ScalarNode && n.Tag == "!!int" && strconv.FormatInt(v, 10) == n.Value
	if err != nil || !plain || out.OverflowInt(v) {
		d.add(path, s.wants()+", got "+s.show(n), s.remedy(path))
		return
	}
	out.SetInt(v)
	s.checkNumber(d.problems, path, v)
}

// show describes what was found, without quoting what may be a credential.
func (s shape) show(n *yaml.Node) string {
	if n.Kind != yaml.ScalarNode || s.private {
		return kind(n)
	}
	if n.Tag == "!!str" {
		return quote(n.Value)
	}
	return strings.Trim(quote(n.Value), `"`)
}

func kind(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	switch n.Tag {
	case "!!int", "!!float":
		return "a number"
	case "!!bool":
		return "true or false"
	case "!!timestamp":
		return "a date"
	default:
		return "text"
	}
}

// field is a struct's field: its name in the file and the name of its shape.
type field struct{ name, shape string }

func fieldsOf(t reflect.Type) []field {
	fields := make([]field, t.NumField())
	for i := range fields {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ",")
		fields[i] = field{name: name, shape: t.Name() + "." + name}
	}
	return fields
}
