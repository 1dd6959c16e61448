// Package receipt grants purchases exactly once.
package receipt
