package config

import (
	"bytes"
	"errors"
	"io"
	"reflect"
	"regexp"
	"strconv"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// Parse reads a limits file. It refuses everything that it does not know or that
// is out of bounds with an [*InvalidError], and fills in the defaults.
func Parse(data []byte) (*File, error) {
	root, err := tree(data)
	if err != nil {
		return nil, &InvalidError{Problems: []*Problem{err}}
	}
	f, found := new(File), newProblems()
	decoder{found}.value(root, reflect.ValueOf(f).Elem(), "", shape{}, "")
	f = f.withDefaults()
	crossCheck(found, f)
	if err := found.err(); err != nil {
		return nil, err
	}
	return f, nil
}

// tree parses the one YAML document that data must hold.
func tree(data []byte) (*yaml.Node, *Problem) {
	if len(data) > MaxBytes {
		return nil, tooLarge()
	}
	if !utf8.Valid(data) {
		return nil, &Problem{What: "the limits file is not UTF-8 text", Remedy: "save it as UTF-8"}
	}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	first, err := next(decoder)
	if errors.Is(err, io.EOF) {
		return nil, &Problem{Line: 1, Column: 1, What: "the limits file is empty", Remedy: "begin it with version: 1"}
	}
	if err != nil {
		return nil, syntaxProblem(err)
	}
	second, err := next(decoder)
	if err == nil {
		return nil, &Problem{
			Line: second.Line, Column: second.Column,
			What: "the limits file holds more than one YAML document", Remedy: "remove what follows the second ---",
		}
	}
	if !errors.Is(err, io.EOF) {
		return nil, syntaxProblem(err)
	}
	return first.Content[0], nil
}

// next returns the next document. The YAML parser reports its own inner
// contradictions, which odd comments can provoke, by a panic: here it ends.
func next(decoder *yaml.Decoder) (node *yaml.Node, err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("the parser gave up")
		}
	}()
	node = new(yaml.Node)
	if err := decoder.Decode(node); err != nil {
		return nil, err
	}
	if node.Kind != yaml.DocumentNode || len(node.Content) != 1 {
		return nil, io.EOF
	}
	return node, nil
}

var syntaxLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)

func syntaxProblem(err error) *Problem {
	text := err.Error()
	p := &Problem{Remedy: "check the indentation and the quotes there and above"}
	if m := syntaxLine.FindStringSubmatch(text); m != nil {
		p.Line, _ = strconv.Atoi(m[1])
		text = text[len(m[0]):]
	}
	p.What = "not valid YAML: " + text
	return p
}
