package httpserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"

	"github.com/echo-operator/echo-operator/echo/limiter/httplimit/problem"
)

const firstBodyBytes = 4 << 10

// body is a request's body as far as it is echoed.
type body struct {
	// kept is at most MaxEchoedBodyBytes long.
	kept  []byte
	total int64
	// reserved is what release gives back to the budget.
	reserved int64
}

// bodyReader reads bodies within a size and a budget that all requests share.
type bodyReader struct {
	maxBytes, maxKept int64
	budget            *capacity
}

// read returns the body, or the problem to answer with. Either way the caller
// calls release on the body when its bytes are no longer needed.
func (br *bodyReader) read(r *http.Request) (body, *problem.Problem) {
	var b body
	if r.ContentLength == 0 || r.Body == nil {
		return b, nil
	}
	if r.ContentLength > br.maxBytes {
		return b, br.tooLarge()
	}
	var surplus []byte
	for {
		if !br.grow(&b, r.ContentLength) {
			return b, overBudget()
		}
		into := b.kept[len(b.kept):cap(b.kept)]
		if len(into) == 0 {
			if surplus == nil {
				surplus = make([]byte, firstBodyBytes)
			}
			into = surplus
		}
		n, err := r.Body.Read(into)
		b.total += int64(n)
		if len(b.kept) < cap(b.kept) {
			b.kept = b.kept[:len(b.kept)+n]
		}
		switch {
		case b.total > br.maxBytes:
			return b, br.tooLarge()
		case errors.Is(err, io.EOF):
			return b, nil
		case err != nil:
			return b, unreadable(err)
		}
	}
}

func (br *bodyReader) release(b *body) { br.budget.give(b.reserved) }

// grow makes room for more bytes when there is none left, paying for it before
// it is there. It reports false when the budget is spent.
func (br *bodyReader) grow(b *body, contentLength int64) bool {
	if len(b.kept) < cap(b.kept) {
		return true
	}
	size := min(max(firstBodyBytes, 2*int64(cap(b.kept))), br.maxKept)
	if contentLength > 0 {
		size = min(contentLength, br.maxKept)
	}
	more := size - int64(cap(b.kept))
	if more <= 0 {
		return true
	}
	if !br.budget.take(more) {
		return false
	}
	b.reserved += more
	grown := make([]byte, len(b.kept), size)
	copy(grown, b.kept)
	b.kept = grown
	return true
}

func (br *bodyReader) tooLarge() *problem.Problem {
	return &problem.Problem{
		Status: http.StatusRequestEntityTooLarge,
		Detail: fmt.Sprintf("The body may have at most %d bytes.", br.maxBytes),
	}
}

func overBudget() *problem.Problem {
	return &problem.Problem{
		Type:   problem.TypeTemporaryReducedCapacity,
		Title:  "Temporary reduced capacity",
		Status: http.StatusServiceUnavailable,
		Detail: "Too many request bodies are being read at once; try again in a moment.",
	}
}

// unreadable says why a body ended early. The texts never repeat what was read.
func unreadable(err error) *problem.Problem {
	var netErr net.Error
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &netErr) && netErr.Timeout():
		return &problem.Problem{Status: http.StatusRequestTimeout, Detail: "The body did not arrive in time."}
	case errors.Is(err, context.Canceled), errors.Is(err, io.ErrUnexpectedEOF):
		return &problem.Problem{Status: http.StatusBadRequest, Detail: "The body ended before its announced length."}
	default:
		return &problem.Problem{Status: http.StatusBadRequest, Detail: "The body could not be read: its framing is not valid."}
	}
}
