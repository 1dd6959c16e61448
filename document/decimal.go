package document

import (
	"bytes"
	"strconv"
)

// decimal is a JSON number in the one form that it shares with all numbers of
// the same value: 0.digits times ten to the exponent, where the digits neither
// start nor end with zero. Zero has no digits, no sign and no exponent.
type decimal struct {
	negative bool
	digits   []byte
	exponent string // decimal, since the text sets no bound to it
}

func (d decimal) equal(e decimal) bool {
	return d.negative == e.negative && d.exponent == e.exponent && bytes.Equal(d.digits, e.digits)
}

func isNumber(text []byte) bool {
	return len(text) > 0 && (text[0] == '-' || text[0] >= '0' && text[0] <= '9')
}

// parseDecimal reads a number that is valid JSON.
func parseDecimal(text []byte) decimal {
	var d decimal
	text, d.negative = bytes.CutPrefix(text, []byte("-"))
	var power []byte
	if i := bytes.IndexAny(text, "eE"); i >= 0 {
		text, power = text[:i], text[i+1:]
	}
	whole, fraction, _ := bytes.Cut(text, []byte("."))
	digits := make([]byte, 0, len(whole)+len(fraction))
	digits = append(append(digits, whole...), fraction...)
	d.digits = bytes.TrimLeft(digits, "0")
	point := len(whole) - (len(digits) - len(d.digits))
	d.digits = bytes.TrimRight(d.digits, "0")
	if len(d.digits) == 0 {
		return decimal{}
	}
	d.exponent = addPower(power, int64(point))
	return d
}

// addPower returns the sum of an exponent as it stands in the text and n, which
// is far smaller than 10^18, in decimal.
func addPower(power []byte, n int64) string {
	power, negative := bytes.CutPrefix(power, []byte("-"))
	power = bytes.TrimLeft(bytes.TrimPrefix(power, []byte("+")), "0")
	sign := ""
	if negative {
		n, sign = -n, "-"
	}
	if len(power) <= 18 {
		small, _ := strconv.ParseInt("0"+string(power), 10, 64)
		if small += n; negative {
			small = -small
		}
		return strconv.FormatInt(small, 10)
	}
	// The exponent is beyond 10^18, so that adding n leaves its sign.
	sum := bytes.Clone(power)
	for i := len(sum) - 1; i >= 0 && n != 0; i-- {
		n += int64(sum[i] - '0')
		digit := (n%10 + 10) % 10
		sum[i] = byte('0' + digit)
		n = (n - digit) / 10
	}
	if n > 0 {
		return sign + strconv.FormatInt(n, 10) + string(sum)
	}
	return sign + string(bytes.TrimLeft(sum, "0"))
}
