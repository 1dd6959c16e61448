package natsbus

import "strings"

// subjectPrefix sets the bus apart from what else a server of NATS carries.
const subjectPrefix = "holdfast."

const hexDigits = "0123456789ABCDEF"

// subject writes any name as a subject of NATS, different names differently: a
// subject has no spaces and wildcards, and its dots stand between other bytes.
func subject(name string) string {
	var b strings.Builder
	b.Grow(len(subjectPrefix) + len(name) + 8)
	b.WriteString(subjectPrefix)
	for i := range len(name) {
		c := name[i]
		if plainByte(c) || c == '.' && i > 0 && i < len(name)-1 && name[i-1] != '.' {
			b.WriteByte(c)
			continue
		}
		b.WriteByte('%')
		b.WriteByte(hexDigits[c>>4])
		b.WriteByte(hexDigits[c&15])
	}
	return b.String()
}

func plainByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_'
}
