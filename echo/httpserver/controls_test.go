package httpserver

import (
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func request(t *testing.T, target string, headers ...string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://echo"+target, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	return r
}

func TestControls(t *testing.T) {
	const most = 10 * time.Second
	for name, c := range map[string]struct {
		target  string
		headers []string
		want    controls
		err     string
	}{
		"none":                    {"/", nil, controls{status: 200}, ""},
		"status header":           {"/", []string{"X-Echo-Status", "503"}, controls{status: 503}, ""},
		"status path":             {"/status/204", nil, controls{status: 204}, ""},
		"header before path":      {"/status/204", []string{"X-Echo-Status", "200"}, controls{status: 200}, ""},
		"deeper path is no code":  {"/status/204/x", nil, controls{status: 200}, ""},
		"no code":                 {"/status/", nil, controls{status: 200}, ""},
		"lowest":                  {"/status/200", nil, controls{status: 200}, ""},
		"highest":                 {"/status/599", nil, controls{status: 599}, ""},
		"informational":           {"/status/100", nil, controls{}, `/status/{code}: must be a whole number from 200 to 599, got "100"`},
		"too high":                {"/status/600", nil, controls{}, "got \"600\""},
		"signed":                  {"/status/+204", nil, controls{}, "/status/{code}"},
		"word":                    {"/", []string{"X-Echo-Status", "teapot"}, controls{}, `X-Echo-Status: must be a whole number from 200 to 599, got "teapot"`},
		"twice":                   {"/", []string{"X-Echo-Status", "200", "X-Echo-Status", "201"}, controls{}, "must be sent once, came 2 times"},
		"long value is cut":       {"/", []string{"X-Echo-Status", strings.Repeat("9", 500)}, controls{}, strings.Repeat("9", 64) + `"...`},
		"delay header":            {"/", []string{"X-Echo-Delay", "150ms"}, controls{status: 200, delay: 150 * time.Millisecond}, ""},
		"delay query":             {"/?delay=2s", nil, controls{status: 200, delay: 2 * time.Second}, ""},
		"delay header over query": {"/?delay=2s", []string{"X-Echo-Delay", "1s"}, controls{status: 200, delay: time.Second}, ""},
		"longest delay":           {"/?delay=10s", nil, controls{status: 200, delay: most}, ""},
		"delay too long":          {"/?delay=10001ms", nil, controls{}, `delay: must be from 0s to 10s, got "10001ms"`},
		"delay below 0":           {"/?delay=-1s", nil, controls{}, "must be from 0s"},
		"delay without a unit":    {"/?delay=5", nil, controls{}, "must be a duration such as 150ms or 2s"},
		"delay twice":             {"/?delay=1s&delay=2s", nil, controls{}, "delay: must be sent once"},
	} {
		r := request(t, c.target, c.headers...)
		got, err := parseControls(r, r.URL.Path, r.URL.Query(), most)
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%s: got %v, want an error with %q", name, err, c.err)
			}
			continue
		}
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: got %+v, %v; want %+v", name, got, err, c.want)
		}
	}
}

func TestSetHeader(t *testing.T) {
	for name, c := range map[string]struct {
		lines []string
		want  []headerField
		err   string
	}{
		"one":              {[]string{"X-A:1"}, []headerField{{"X-A", "1"}}, ""},
		"space":            {[]string{" x-a :  1 "}, []headerField{{"X-A", "1"}}, ""},
		"two on a line":    {[]string{"X-A:1, X-B:2"}, []headerField{{"X-A", "1"}, {"X-B", "2"}}, ""},
		"two lines":        {[]string{"X-A:1", "X-A:2"}, []headerField{{"X-A", "1"}, {"X-A", "2"}}, ""},
		"comma in a value": {[]string{"Allow: GET, HEAD,X-B:2"}, []headerField{{"Allow", "GET, HEAD"}, {"X-B", "2"}}, ""},
		"a date":           {[]string{"X-D: Mon, 02 Jan 2006 15:04:05 GMT"}, []headerField{{"X-D", "Mon, 02 Jan 2006 15:04:05 GMT"}}, ""},
		"empty value":      {[]string{"X-A:"}, []headerField{{"X-A", ""}}, ""},
		"no colon":         {[]string{"X-A"}, nil, `must be Name:value, got "X-A"`},
		"no name":          {[]string{":1"}, nil, "must be Name:value"},
		"name with space":  {[]string{"X A:1"}, nil, "must be Name:value"},
		"line starts anew": {[]string{"X-A:1", "rest"}, nil, "must be Name:value"},
		"CR LF":            {[]string{"X-A:1\r\nSet-Cookie:x"}, nil, "the value of X-A has a control character"},
		"NUL":              {[]string{"X-A:\x00"}, nil, "control character"},
		"too many":         {[]string{strings.Repeat("X-A:1,", 33)}, nil, "more than 32 headers"},
	} {
		got, err := setHeaderControl(c.lines)
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%s: got %v, want an error with %q", name, err, c.err)
			}
			continue
		}
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: got %+v, %v; want %+v", name, got, err, c.want)
		}
	}
}

// Nothing that frames the answer, that a browser obeys or that this server
// vouches for can be set, in whatever case it is written.
func TestSetHeaderRefuses(t *testing.T) {
	names := []string{
		"Connection", "Keep-Alive", "Proxy-Connection", "TE", "Trailer", "Transfer-Encoding", "Upgrade",
		"Content-Length", "Content-Type", "Content-Encoding", "Set-Cookie", "Content-Security-Policy",
		"Content-Security-Policy-Report-Only", "X-Content-Type-Options", "Cache-Control", "Vary", "Retry-After",
		"RateLimit", "RateLimit-Policy", "RateLimit-Limit", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset", "X-Rate-Limit-Limit",
	}
	rapid.Check(t, func(t *rapid.T) {
		name := []byte(rapid.SampledFrom(names).Draw(t, "name"))
		for i := range name {
			if rapid.Bool().Draw(t, "upper") {
				name[i] = strings.ToUpper(string(name[i]))[0]
			} else {
				name[i] = strings.ToLower(string(name[i]))[0]
			}
		}
		before := rapid.SampledFrom([]string{"", "X-A:1,", "X-A:a,b, "}).Draw(t, "before")
		if fields, err := setHeaderControl([]string{before + string(name) + ":1"}); err == nil {
			t.Fatalf("%q was accepted: %v", name, fields)
		}
	})
}

// Whatever is asked for, what comes out can be sent: a token and a value without
// control characters.
func TestSetHeaderNeverYieldsWhatCannotBeSent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		line := rapid.StringMatching(`[A-Za-z:, \x00-\x1f-]{0,24}`).Draw(t, "line")
		fields, err := setHeaderControl([]string{line})
		if err != nil {
			return
		}
		for _, f := range fields {
			if f.name == "" || strings.ContainsAny(f.name, " :\r\n\x00") || strings.ContainsAny(f.value, "\r\n\x00") || refused(f.name) {
				t.Fatalf("%q gave %+v", line, f)
			}
		}
	})
}
