package httpserver

import (
	"encoding/base64"
	"slices"
	"strconv"
	"unicode/utf8"
)

// jsonWriter appends one JSON object to a buffer. It exists because an answer can
// repeat a body of a megabyte: nothing is copied on the way, and no reflection is
// paid for on each request.
type jsonWriter struct{ buf []byte }

const hexDigits = "0123456789abcdef"

func (j *jsonWriter) open(c byte)  { j.buf = append(j.buf, c) }
func (j *jsonWriter) close(c byte) { j.buf = append(j.buf, c) }

// key starts a member; a comma goes before every one but the first.
func (j *jsonWriter) key(name string) {
	j.comma()
	j.buf = appendJSONString(j.buf, name)
	j.buf = append(j.buf, ':')
}

func (j *jsonWriter) comma() {
	if last := j.buf[len(j.buf)-1]; last != '{' && last != '[' {
		j.buf = append(j.buf, ',')
	}
}

func (j *jsonWriter) text(name, value string) {
	j.key(name)
	j.buf = appendJSONString(j.buf, value)
}

// textUnlessEmpty leaves the member out when there is nothing to say.
func (j *jsonWriter) textUnlessEmpty(name, value string) {
	if value != "" {
		j.text(name, value)
	}
}

func (j *jsonWriter) number(name string, value int64) {
	j.key(name)
	j.buf = strconv.AppendInt(j.buf, value, 10)
}

func (j *jsonWriter) boolean(name string, value bool) {
	j.key(name)
	j.buf = strconv.AppendBool(j.buf, value)
}

func (j *jsonWriter) base64(name string, value []byte) {
	j.key(name)
	j.buf = append(j.buf, '"')
	j.buf = base64.StdEncoding.AppendEncode(j.buf, value)
	j.buf = append(j.buf, '"')
}

func (j *jsonWriter) bytesAsText(name string, value []byte) {
	j.key(name)
	j.buf = appendJSONString(j.buf, value)
}

// lists writes name -> list of values with sorted names, so that equal requests
// give equal answers; shown says what stands for a name's value.
func (j *jsonWriter) lists(name string, lists map[string][]string, shown func(name, value string) string) {
	j.key(name)
	j.open('{')
	var room [32]string
	names := room[:0]
	for n := range lists {
		names = append(names, n)
	}
	slices.Sort(names)
	for _, n := range names {
		j.key(n)
		j.open('[')
		for _, value := range lists[n] {
			j.comma()
			j.buf = appendJSONString(j.buf, shown(n, value))
		}
		j.close(']')
	}
	j.close('}')
}

// appendJSONString quotes s (RFC 8259 section 7). Bytes that are not UTF-8 become
// U+FFFD, one for each byte, as encoding/json has it.
func appendJSONString[T string | []byte](dst []byte, s T) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			if n := validRuneLen(s[i:]); n > 0 {
				i += n
				continue
			}
		}
		dst = append(dst, s[start:i]...)
		dst = appendEscaped(dst, c)
		i++
		start = i
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}

// validRuneLen returns how many bytes the rune at the start of s has, 0 for none.
func validRuneLen[T string | []byte](s T) int {
	var first [utf8.UTFMax]byte
	n := copy(first[:], s)
	r, size := utf8.DecodeRune(first[:n])
	if r == utf8.RuneError && size <= 1 {
		return 0
	}
	return size
}

func appendEscaped(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\n':
		return append(dst, `\n`...)
	case '\r':
		return append(dst, `\r`...)
	case '\t':
		return append(dst, `\t`...)
	}
	if c >= utf8.RuneSelf {
		return append(dst, `\ufffd`...)
	}
	return append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
}
