package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"
)

// probeVerbName is a verb for this program's own use: `up` runs it inside the cluster's network namespace.
const probeVerbName = "probe"

func probeVerb(c *command) func(context.Context) error {
	server := c.flags.String("dns", "", "ask this server for the argument's address, instead of fetching a URL")
	return func(ctx context.Context) error {
		if c.flags.NArg() != 1 {
			return errors.New("probe takes one URL or name")
		}
		ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
		defer cancel()
		if *server != "" {
			return resolve(ctx, *server, c.flags.Arg(0))
		}
		return fetch(ctx, c.flags.Arg(0))
	}
}

// resolve asks one DNS server, whatever the machine's own settings say.
func resolve(ctx context.Context, server, name string) error {
	resolver := net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		var dialer net.Dialer
		return dialer.DialContext(ctx, network, net.JoinHostPort(server, "53"))
	}}
	_, err := resolver.LookupHost(ctx, name)
	return err
}

func fetch(ctx context.Context, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answered %s", url, response.Status)
	}
	return nil
}

// probe runs this very program inside the namespace.
func (r runDir) probe(ctx context.Context, args ...string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	_, err = output(r.inside(ctx, append([]string{self, probeVerbName}, args...)...))
	return err
}
