package upstream

import (
	"bytes"
	"strconv"
	"strings"
)

// Some servers and proxies format every number as a decimal. Ids such as "3000000001.0" or "3.0e9"
// are therefore converted to integers, because they would find no record.

// isIDKey reports whether a key holds record ids. Public ids are text, and external ids belong to
// other systems.
func isIDKey(key string) bool {
	return (key == "id" || strings.HasSuffix(key, "_id") || strings.HasSuffix(key, "_ids")) && key != "public_id" && !strings.HasPrefix(key, "external_")
}

// isDecimal reports whether a value may be an id formatted as a decimal: a number that is not
// written as an integer, or a string that holds a number with a point.
func isDecimal(kind byte, value []byte) bool {
	switch kind {
	case kindNumber:
		return bytes.ContainsAny(value, ".eE")
	case '"':
		return bytes.IndexByte(value, '.') >= 0 && len(bytes.Trim(value, `"0123456789.eE+-`)) == 0
	}
	return false
}

// integerID returns a decimal id as an integer, and other ids unchanged.
func integerID(id string) string {
	if !strings.ContainsAny(id, ".eE") {
		return id
	}
	if whole, ok := wholeNumber(id); ok && IsRawID(whole) {
		return whole
	}
	return id
}

// maxDigits is the largest number of digits that is read exactly. Ids have ten digits, and an int
// has nineteen.
const maxDigits = 20

// wholeNumber converts a decimal number such as "-3.0" or "3.5e1" to an integer, exactly. It
// returns false for numbers with a fraction and for other text.
func wholeNumber(text string) (string, bool) {
	digits, exponent := strings.ToLower(text), 0
	if mantissa, power, ok := strings.Cut(digits, "e"); ok {
		n, err := strconv.Atoi(power)
		if err != nil {
			return "", false
		}
		digits, exponent = mantissa, n
	}
	digits, negative := strings.CutPrefix(digits, "-")
	whole, fraction, _ := strings.Cut(digits, ".")
	if whole == "" || strings.Trim(whole+fraction, "0123456789") != "" {
		return "", false
	}
	fraction = strings.TrimRight(fraction, "0")
	digits = strings.TrimLeft(whole+fraction, "0")
	switch exponent -= len(fraction); {
	case digits == "":
		return "0", true
	case exponent > maxDigits || exponent < -len(digits):
		return "", false
	case exponent >= 0:
		digits += strings.Repeat("0", exponent)
	default:
		point := len(digits) + exponent
		if strings.Trim(digits[point:], "0") != "" {
			return "", false
		}
		digits = digits[:point]
	}
	if len(digits) > maxDigits {
		return "", false
	}
	if negative {
		digits = "-" + digits
	}
	return digits, true
}
