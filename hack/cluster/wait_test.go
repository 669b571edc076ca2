package main

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var errNotYet = errors.New("not yet")

func TestGateOpens(t *testing.T) {
	asked := 0
	err := gate{what: "x", within: time.Second, every: time.Millisecond, check: func(context.Context) error {
		if asked++; asked < 3 {
			return errNotYet
		}
		return nil
	}}.wait(context.Background())
	if err != nil || asked != 3 {
		t.Errorf("asked %d times, err %v", asked, err)
	}
}

func TestGateSaysWhatItWaitedFor(t *testing.T) {
	log := writeFile(t, filepath.Join(t.TempDir(), "etcd.log"), strings.Repeat("old\n", 50)+"last words\n", 0o600)
	notYet := func(context.Context) error { return errNotYet }
	canceled, cancel := context.WithCancel(context.Background())
	cancel()
	gone := &started{process: process{name: "etcd", pid: 1 << 30, started: 1}, log: log}
	for name, c := range map[string]struct {
		ctx  context.Context
		gate gate
		want []string
	}{
		"deadline": {context.Background(), gate{within: time.Millisecond}, []string{"waiting for etcd", "not within 1ms", "not yet"}},
		"with log": {context.Background(), gate{within: time.Millisecond, by: gone}, []string{"last words"}},
		"ended":    {context.Background(), gate{within: time.Hour, needs: []*started{gone}}, []string{"etcd has ended", "last words"}},
		"canceled": {canceled, gate{within: time.Hour}, []string{"interrupted while waiting for etcd"}},
	} {
		c.gate.what, c.gate.check = "etcd", notYet
		err := c.gate.wait(c.ctx)
		for _, part := range c.want {
			if err == nil || !strings.Contains(err.Error(), part) {
				t.Errorf("%s: error lacks %q: %v", name, part, err)
			}
		}
		if err != nil && strings.Count(err.Error(), "old") > logTail {
			t.Errorf("%s: the whole log is in the error", name)
		}
	}
}

func TestLockKeepsOthersOut(t *testing.T) {
	path := filepath.Join(t.TempDir(), "dir", "lock")
	var said bytes.Buffer
	log := newProgress(&said)
	release, err := lockFile(context.Background(), path, log, "x")
	if err != nil {
		t.Fatal(err)
	}
	impatient, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	if _, err := lockFile(impatient, path, log, "x"); err == nil {
		t.Error("the lock was given out twice")
	}
	if !strings.Contains(said.String(), "waiting for another run") {
		t.Errorf("it waited without a word: %q", said.String())
	}
	release()
	release, err = lockFile(context.Background(), path, log, "x")
	if err != nil {
		t.Fatal(err)
	}
	release()
}

func TestUnknownVerbShowsTheOthers(t *testing.T) {
	for _, args := range [][]string{nil, {"upp"}} {
		err := run(context.Background(), args, &bytes.Buffer{}, &bytes.Buffer{})
		if err == nil || !strings.Contains(err.Error(), "load-project") {
			t.Errorf("%v: %v", args, err)
		}
	}
}

func TestEveryVerbTakesItsFlags(t *testing.T) {
	for name := range verbs() {
		var said bytes.Buffer
		err := run(context.Background(), []string{name, "-h"}, &bytes.Buffer{}, &said)
		if exitCode(err, &said) != 0 || !strings.Contains(said.String(), "-name") {
			t.Errorf("%s -h: %v: %s", name, err, said.String())
		}
	}
}
