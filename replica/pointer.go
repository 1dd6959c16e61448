package replica

import "strings"

var pointerEscaper = strings.NewReplacer("~", "~0", "/", "~1")

// pointer returns a JSON Pointer (RFC 6901).
func pointer(segments ...string) string {
	var b strings.Builder
	for _, s := range segments {
		b.WriteByte('/')
		_, _ = pointerEscaper.WriteString(&b, s) // a Builder refuses nothing
	}
	return b.String()
}

// firstSegment returns the first segment of a JSON Pointer, and false if it has none
// or is not one.
func firstSegment(pointer string) (string, bool) {
	rest, ok := strings.CutPrefix(pointer, "/")
	if !ok {
		return "", false
	}
	segment, _, _ := strings.Cut(rest, "/")
	for i := range len(segment) {
		if segment[i] == '~' && (i+1 == len(segment) || segment[i+1] != '0' && segment[i+1] != '1') {
			return "", false
		}
	}
	// "~01" is "~1": the order matters.
	return strings.ReplaceAll(strings.ReplaceAll(segment, "~1", "/"), "~0", "~"), true
}
