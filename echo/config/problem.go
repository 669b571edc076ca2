package config

import (
	"fmt"
	"sort"
	"strings"
	"unicode/utf8"
)

// maxProblems bounds how many problems one error lists; the rest is counted.
const maxProblems = 20

// Problem is one thing that is wrong with a limits file. Its text never holds an
// override's values, which may be credentials.
type Problem struct {
	// Line and Column count from 1; both are 0 for a File that was built in Go.
	Line, Column int
	// Field is the path to the field, as rules[0].limit.requests; empty when the file as a whole is meant.
	Field string
	// What is wrong, to be read after Field.
	What string
	// Remedy is what to write instead.
	Remedy string
}

// Error returns the line, the field, what is wrong and the remedy.
func (p *Problem) Error() string {
	var b strings.Builder
	if p.Line > 0 {
		fmt.Fprintf(&b, "line %d: ", p.Line)
	}
	if p.Field != "" {
		b.WriteString(p.Field + ": ")
	}
	b.WriteString(p.What)
	if p.Remedy != "" {
		b.WriteString("; " + p.Remedy)
	}
	return b.String()
}

// InvalidError lists what is wrong with a limits file, in the file's order.
type InvalidError struct {
	// Problems has at least one member and a bounded number of them.
	Problems []*Problem
	// More is how many further problems there are.
	More int
}

// Error returns one line a problem.
func (e *InvalidError) Error() string {
	lines := make([]string, 0, len(e.Problems)+1)
	for _, p := range e.Problems {
		lines = append(lines, p.Error())
	}
	if e.More > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", e.More))
	}
	return strings.Join(lines, "\n")
}

// Unwrap makes every [Problem] reachable for errors.As.
func (e *InvalidError) Unwrap() []error {
	errs := make([]error, len(e.Problems))
	for i, p := range e.Problems {
		errs[i] = p
	}
	return errs
}

// position is a place in the file.
type position struct{ line, column int }

// problems collects what is wrong. Positions are known for parsed files only.
type problems struct {
	list  []*Problem
	more  int
	where map[string]position
	// dirty holds the fields with a problem and everything above them, so that
	// checks of several fields together can leave out what is wrong already.
	dirty map[string]bool
}

func newProblems() *problems {
	return &problems{where: map[string]position{}, dirty: map[string]bool{}}
}

// add reports a problem at the field's own place, or at its nearest parent's.
func (p *problems) add(field, what, remedy string) {
	p.addAt(p.find(field), field, what, remedy)
}

func (p *problems) addAt(at position, field, what, remedy string) {
	for path, ok := field, true; ok; path, ok = parent(path) {
		p.dirty[path] = true
	}
	if p.full() {
		p.more++
		return
	}
	p.list = append(p.list, &Problem{
		Line: at.line, Column: at.column, Field: field, What: what, Remedy: remedy,
	})
}

// full reports whether further problems are only counted; then nothing needs to
// be worked out for them.
func (p *problems) full() bool { return len(p.list) == maxProblems }

func (p *problems) find(field string) position {
	for path, ok := field, true; ok; path, ok = parent(path) {
		if at, found := p.where[path]; found {
			return at
		}
	}
	return position{}
}

// clean reports whether nothing is wrong at path or below it.
func (p *problems) clean(path string) bool { return !p.dirty[path] }

func (p *problems) err() error {
	if len(p.list) == 0 {
		return nil
	}
	sort.SliceStable(p.list, func(i, j int) bool { return p.list[i].Line < p.list[j].Line })
	return &InvalidError{Problems: p.list, More: p.more}
}

// parent returns the path that path is a part of; the whole file is the path "".
func parent(path string) (string, bool) {
	if path == "" {
		return "", false
	}
	cut := strings.LastIndexAny(path, ".[")
	return path[:max(cut, 0)], true
}

// join returns the path of a field below path.
func join(path, field string) string {
	if path == "" {
		return field
	}
	return path + "." + field
}

// item returns the path of a list's member.
func item(path string, i int) string { return fmt.Sprintf("%s[%d]", path, i) }

// quote shows what was found, cut to a length that suits a status message.
func quote(s string) string {
	const most = 64
	if len(s) <= most {
		return fmt.Sprintf("%q", s)
	}
	cut := most
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return fmt.Sprintf("%q...", s[:cut])
}
