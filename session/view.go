package session

import (
	"context"
	"time"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/driver"
)

// View is what is kept under a key, read without its lock: root and journal
// tail, milliseconds behind the memory of a server that holds it.
type View struct {
	Key      Key
	Document *document.Document
	Revision uint64
	Version  driver.Version // of the root
	Birth    driver.Version
	Created  time.Time
	Updated  time.Time // of the root
	Holder   *Holder   // who holds the lock; nil: nobody
	// Saved says that the root holds all of it. If not, some of it was in the journal
	// only, and so may be what was attached to updates in the entries beside the root.
	Saved bool
}

// VersionInfo is one version of what is kept under a key.
type VersionInfo struct {
	Version driver.Version
	Updated time.Time
	Marked  bool // an operator's act; it and the one before it are kept
}

// VersionView is one version of what is kept under a key, with its document.
type VersionView struct {
	VersionInfo
	Birth    driver.Version // of what was kept under the key then
	Revision uint64         // of the document
	Document *document.Document
	Origins  []string // what sorts of acts its changes are: see OriginPurchase
	Reason   string   // of the operator whose act it is, or of changes in it; empty: none
	By       string   // the server that wrote a version with a reason
}

// Reader returns a reader of the server's database with the server's limits.
func (srv *Server) Reader() *Reader { return NewReader(srv.db, srv.opts.Limits) }

// Peek is Reader.Peek.
func (srv *Server) Peek(ctx context.Context, key Key) (*View, error) {
	return srv.Reader().Peek(ctx, key)
}

// Versions is Reader.Versions.
func (srv *Server) Versions(ctx context.Context, key Key) ([]VersionInfo, error) {
	return srv.Reader().Versions(ctx, key)
}

// ReadVersion is Reader.ReadVersion.
func (srv *Server) ReadVersion(ctx context.Context, key Key, v driver.Version) (*VersionView, error) {
	return srv.Reader().ReadVersion(ctx, key, v)
}
