package httpserver

import "sync/atomic"

// capacity is a bounded amount that requests take and give back.
type capacity struct {
	most  int64
	taken atomic.Int64
}

func newCapacity(most int64) *capacity { return &capacity{most: most} }

// take reports whether n fitted; what does not fit takes nothing.
func (c *capacity) take(n int64) bool {
	if c.taken.Add(n) <= c.most {
		return true
	}
	c.taken.Add(-n)
	return false
}

func (c *capacity) give(n int64) { c.taken.Add(-n) }
