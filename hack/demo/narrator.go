package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os/exec"
	"strings"

	"github.com/echo-operator/echo-operator/hack/e2e/harness"
)

// narrator writes the demo's output and stops it at the first wrong answer.
type narrator struct {
	out  io.Writer
	step int
}

// title begins the next step.
func (n *narrator) title(text string) {
	n.step++
	n.say("\n%d. %s", n.step, text)
}

func (n *narrator) say(format string, args ...any) {
	_, _ = fmt.Fprintf(n.out, format+"\n", args...)
}

// found tells what was checked and right.
func (n *narrator) found(format string, args ...any) {
	n.say("   ok: "+format, args...)
}

// quote shows text that came from elsewhere, indented.
func (n *narrator) quote(text string) {
	for line := range strings.Lines(strings.TrimRight(text, "\n")) {
		n.say("   %s", strings.TrimRight(line, "\n"))
	}
}

// kubectl shows a command as a user would type it, runs it and shows its output.
func (n *narrator) kubectl(ctx context.Context, stdin string, args ...string) (string, error) {
	text, err := n.tryKubectl(ctx, stdin, args...)
	if err != nil {
		return text, fmt.Errorf("kubectl %s: expected it to succeed: %w", strings.Join(args, " "), err)
	}
	return text, nil
}

// tryKubectl is kubectl for a command that may fail; its output includes what
// it says about that.
func (n *narrator) tryKubectl(ctx context.Context, stdin string, args ...string) (string, error) {
	n.say("   $ kubectl %s", quoted(args))
	cmd := exec.CommandContext(ctx, "kubectl", args...)
	cmd.Stdin = strings.NewReader(stdin)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	n.quote(out.String())
	return out.String(), err
}

// quoted writes arguments as a shell wants them.
func quoted(args []string) string {
	words := make([]string, len(args))
	for i, arg := range args {
		words[i] = arg
		if strings.ContainsAny(arg, ` "{}[]*$`) {
			words[i] = "'" + arg + "'"
		}
	}
	return strings.Join(words, " ")
}

// answer shows what a client sees of a reply.
func (n *narrator) answer(r harness.Reply) {
	n.say("   HTTP %d", r.Status)
	for _, name := range []string{"RateLimit", "RateLimit-Policy", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset", "Retry-After"} {
		if value := r.Header.Get(name); value != "" {
			n.say("     %s: %s", name, value)
		}
	}
}

// expect is the check of a step: the error says what was expected and what was there.
func expect[T comparable](what string, got, want T) error {
	if got != want {
		return fmt.Errorf("%s: expected %v, got %v", what, want, got)
	}
	return nil
}

// expectThat is expect for what is not a comparison.
func expectThat(what string, ok bool, got any) error {
	if !ok {
		return fmt.Errorf("expected %s, got %v", what, got)
	}
	return nil
}
