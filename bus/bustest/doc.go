// Package bustest holds every transport to what package bus promises on it.
//
//	func TestBus(t *testing.T) {
//		bustest.Run(t, func(t *testing.T, fact func(*testing.T, *bustest.Medium)) {
//			fact(t, &bustest.Medium{Dial: newTransport})
//		})
//	}
//
// A [Line] is a transport that loses, doubles, delays and reorders what it
// carries, refuses to send, and can be cut.
package bustest
