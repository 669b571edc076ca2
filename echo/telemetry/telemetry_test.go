package telemetry

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

func family(t *testing.T, g prometheus.Gatherer, name string) *dto.MetricFamily {
	t.Helper()
	families, err := g.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			return f
		}
	}
	t.Fatalf("no metric %s", name)
	return nil
}

// A client chooses its method and, through a control, its status: neither may
// make more series than the fixed set.
func TestRequestsHaveBoundedLabels(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	h, err := NewHTTP(reg)
	if err != nil {
		t.Fatal(err)
	}
	h.Observe("GET", 200, time.Millisecond)
	h.Observe("GET", 200, time.Millisecond)
	h.Observe("BREW", 429, time.Millisecond)
	h.Observe("PROPFIND", 429, time.Millisecond)
	h.Observe("get", 599, time.Millisecond)
	h.Observe("GET", 7, time.Millisecond)
	h.Observe("GET", 600, time.Millisecond)

	got := map[string]float64{}
	for _, m := range family(t, reg, "echo_http_requests_total").GetMetric() {
		var key []string
		for _, l := range m.GetLabel() {
			key = append(key, l.GetName()+"="+l.GetValue())
		}
		got[strings.Join(key, ",")] = m.GetCounter().GetValue()
	}
	want := map[string]float64{
		"code=200,method=GET":   2,
		"code=429,method=other": 2,
		"code=599,method=other": 1,
		"code=0,method=GET":     2,
	}
	if len(got) != len(want) {
		t.Errorf("series: got %v, want %v", got, want)
	}
	for k, v := range want {
		if got[k] != v {
			t.Errorf("%s: got %v, want %v", k, got[k], v)
		}
	}
}

// Dashboards read the classic buckets, newer Prometheus the native ones: both are there.
func TestDurationIsClassicAndNative(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	h, err := NewHTTP(reg)
	if err != nil {
		t.Fatal(err)
	}
	h.Observe("GET", 200, 3*time.Millisecond)
	m := family(t, reg, "echo_request_duration_seconds").GetMetric()[0]
	if l := m.GetLabel(); len(l) != 1 || l[0].GetName() != "protocol" || l[0].GetValue() != "http" {
		t.Errorf("labels: %v", l)
	}
	hist := m.GetHistogram()
	if hist.GetSampleCount() != 1 || hist.GetSampleSum() != 0.003 {
		t.Errorf("count %d sum %v, want 1 and 0.003", hist.GetSampleCount(), hist.GetSampleSum())
	}
	if len(hist.GetBucket()) == 0 {
		t.Error("no classic buckets")
	}
	if hist.Schema == nil || len(hist.GetPositiveSpan()) == 0 {
		t.Error("no native buckets")
	}
}

func TestMetricsAreRegisteredOnce(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	if _, err := NewHTTP(reg); err != nil {
		t.Fatal(err)
	}
	if _, err := NewHTTP(reg); err == nil {
		t.Error("a second registration was accepted")
	}
}

func TestRegistryTellsTheBuild(t *testing.T) {
	reg, err := NewRegistry(Build{Version: "v1.2.3", Revision: "abc", GoVersion: "go1"})
	if err != nil {
		t.Fatal(err)
	}
	m := family(t, reg, "echo_build_info").GetMetric()[0]
	labels := map[string]string{}
	for _, l := range m.GetLabel() {
		labels[l.GetName()] = l.GetValue()
	}
	if labels["version"] != "v1.2.3" || labels["revision"] != "abc" || labels["goversion"] != "go1" || m.GetGauge().GetValue() != 1 {
		t.Errorf("got %v = %v", labels, m.GetGauge().GetValue())
	}
	family(t, reg, "go_goroutines")
}

func TestBuildPrefersTheLinkersVersion(t *testing.T) {
	info := &debug.BuildInfo{
		GoVersion: "go1.26",
		Main:      debug.Module{Version: "v0.0.1"},
		Settings:  []debug.BuildSetting{{Key: "vcs.revision", Value: "abc"}, {Key: "vcs.modified", Value: "true"}},
	}
	if got, want := buildFrom("v9", info), (Build{"v9", "abc-dirty", "go1.26"}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got, want := buildFrom("", info).Version, "v0.0.1"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := buildFrom("", &debug.BuildInfo{}), (Build{"unknown", "unknown", "unknown"}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// What a client sends stays inside its JSON string.
func TestLogLinesCannotBeForged(t *testing.T) {
	var buf bytes.Buffer
	NewLogger(&buf, slog.LevelInfo).Info("denied", "path", "/x\n{\"level\":\"ERROR\"}\x1b[31m")
	if n := bytes.Count(buf.Bytes(), []byte("\n")); n != 1 {
		t.Errorf("%d lines, want 1: %s", n, buf.String())
	}
	if bytes.ContainsRune(buf.Bytes(), 0x1b) {
		t.Error("an escape character reached the log")
	}
	if !json.Valid(buf.Bytes()) {
		t.Errorf("not JSON: %s", buf.String())
	}
}

func TestParseLevel(t *testing.T) {
	for text, want := range map[string]slog.Level{"debug": -4, "INFO": 0, "warn": 4, "Error": 8} {
		if got, err := ParseLevel(text); err != nil || got != want {
			t.Errorf("%s: got %v, %v; want %v", text, got, err, want)
		}
	}
	if _, err := ParseLevel("loud"); err == nil || !strings.Contains(err.Error(), `"loud"; write debug, info, warn or error`) {
		t.Errorf("got %v", err)
	}
}

func TestSamplerCountsWhatItKeepsBack(t *testing.T) {
	s := NewSampler(time.Second)
	start := time.Unix(1, 0)
	if n, ok := s.Allow(start); !ok || n != 0 {
		t.Errorf("first: %d, %v", n, ok)
	}
	for range 3 {
		if _, ok := s.Allow(start.Add(999 * time.Millisecond)); ok {
			t.Error("let through within the interval")
		}
	}
	if n, ok := s.Allow(start.Add(time.Second)); !ok || n != 3 {
		t.Errorf("after the interval: %d, %v; want 3, true", n, ok)
	}
	if n, ok := s.Allow(start.Add(2 * time.Second)); !ok || n != 0 {
		t.Errorf("the count was not reset: %d, %v", n, ok)
	}
}

func TestTraceID(t *testing.T) {
	const id = "4bf92f3577b34da6a3ce929d0e0e4736"
	for name, c := range map[string]struct{ header, want string }{
		"valid":                     {"00-" + id + "-00f067aa0ba902b7-01", id},
		"later version with fields": {"01-" + id + "-00f067aa0ba902b7-01-more", id},
		"absent":                    {"", ""},
		"short":                     {"00-" + id + "-00f067aa0ba902b7-0", ""},
		"version ff":                {"ff-" + id + "-00f067aa0ba902b7-01", ""},
		"version 00 with more":      {"00-" + id + "-00f067aa0ba902b7-01-more", ""},
		"trailing without a dash":   {"01-" + id + "-00f067aa0ba902b7-01x", ""},
		"upper case":                {"00-" + strings.ToUpper(id) + "-00f067aa0ba902b7-01", ""},
		"all zero trace":            {"00-" + strings.Repeat("0", 32) + "-00f067aa0ba902b7-01", ""},
		"all zero span":             {"00-" + id + "-" + strings.Repeat("0", 16) + "-01", ""},
		"dash in the wrong place":   {"00_" + id + "-00f067aa0ba902b7-01", ""},
	} {
		if got := TraceID(c.header); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}
