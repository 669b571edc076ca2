package controllers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"k8s.io/client-go/rest"

	"github.com/echo-operator/echo-operator/echo/config"
)

// maxConfigzBytes bounds what is read of a pod's answer: a pod is not trusted
// with the operator's memory.
const maxConfigzBytes = 64 << 10

// DirectAsker asks pods at their own addresses. The zero value is not usable;
// see [NewDirectAsker].
type DirectAsker struct {
	client *http.Client
	port   string
}

// NewDirectAsker returns an asker for pods whose admin port is port.
func NewDirectAsker(port int32) *DirectAsker {
	transport := &http.Transport{
		// No Proxy: pod addresses are never behind one.
		DialContext:         (&net.Dialer{Timeout: proberTimeout}).DialContext,
		MaxIdleConnsPerHost: 1,
		MaxIdleConns:        4 * proberInFlight,
		IdleConnTimeout:     2 * proberRecheck,
	}
	refuseRedirects := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &DirectAsker{
		client: &http.Client{Transport: transport, CheckRedirect: refuseRedirects, Timeout: proberTimeout + time.Second},
		port:   strconv.Itoa(int(port)),
	}
}

// Ask implements [Asker].
func (a *DirectAsker) Ask(ctx context.Context, target Target) (config.Configz, error) {
	url := "http://" + net.JoinHostPort(target.Address, a.port) + "/configz"
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return config.Configz{}, err
	}
	response, err := a.client.Do(request)
	if err != nil {
		return config.Configz{}, err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return config.Configz{}, fmt.Errorf("pod %s answered /configz with status %d", target.Name, response.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxConfigzBytes+1))
	if err != nil {
		return config.Configz{}, err
	}
	return parseConfigz(body, target)
}

// ProxyAsker asks pods through the API server, for a manager that runs outside
// the cluster. It needs the right to get pods/proxy.
type ProxyAsker struct {
	client rest.Interface
	port   string
}

// NewProxyAsker returns an asker that uses client, a client of the core API group.
func NewProxyAsker(client rest.Interface, port int32) *ProxyAsker {
	return &ProxyAsker{client: client, port: strconv.Itoa(int(port))}
}

// Ask implements [Asker].
func (a *ProxyAsker) Ask(ctx context.Context, target Target) (config.Configz, error) {
	stream, err := a.client.Get().Namespace(target.Namespace).Resource("pods").
		Name(target.Name + ":" + a.port).SubResource("proxy").Suffix("configz").Stream(ctx)
	if err != nil {
		return config.Configz{}, err
	}
	defer func() { _ = stream.Close() }()
	body, err := io.ReadAll(io.LimitReader(stream, maxConfigzBytes+1))
	if err != nil {
		return config.Configz{}, err
	}
	return parseConfigz(body, target)
}

// parseConfigz accepts an answer only from the pod that was meant: addresses
// and names are reused, UIDs are not.
func parseConfigz(body []byte, target Target) (config.Configz, error) {
	if len(body) > maxConfigzBytes {
		return config.Configz{}, errors.New("the pod's /configz is larger than 64 KiB")
	}
	var reply config.Configz
	if err := json.Unmarshal(body, &reply); err != nil {
		return config.Configz{}, fmt.Errorf("the pod's /configz is not what an echo pod answers: %w", err)
	}
	if reply.Pod.UID != string(target.UID) {
		return config.Configz{}, fmt.Errorf("another pod answered at %s (uid %q)", target.Address, reply.Pod.UID)
	}
	return reply, nil
}
