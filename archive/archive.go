package archive

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/session"
	"github.com/holdfast-games/holdfast/store"
)

// Summary says what went into an archive.
type Summary struct {
	Key       session.Key
	Document  bool // the present data could be read
	Versions  int  // older ones and the present one
	Purchases int
	Messages  int // that wait
	Dead      int // messages whose handler failed
	Entries   int // of the database that belong to the player, messages and purchases included
	Tagged    int // values of named stores
	// Notes are what a reader should know: what could not be decoded, and why.
	Notes []string
}

// anySize are limits that refuse nothing that is stored.
var anySize = document.Limits{Size: math.MaxInt, Depth: math.MaxInt, Fields: math.MaxInt}

// Write writes the archive of a key. It blocks to read, takes no lease, and needs a
// database that can be read only. It is session.ErrNotFound if nothing was ever kept
// of the key, and then nothing was written; a *session.ErasedError if it was erased.
// With any other error the file is not whole.
func Write(ctx context.Context, db *store.DB, key session.Key, w io.Writer) (Summary, error) {
	if err := key.Check(); err != nil {
		return Summary{}, fmt.Errorf("archive: %w", err)
	}
	a := &writer{db: db, rd: session.NewReader(db, anySize), key: key, now: time.Now(), sum: Summary{Key: key}}
	err := a.open(ctx, w)
	for _, part := range []func(context.Context) error{a.document, a.versions, a.purchases, a.letters, a.belongings, a.stores} {
		if err == nil {
			err = part(ctx)
		}
	}
	if err == nil {
		err = a.close()
	}
	if err != nil {
		return a.sum, fmt.Errorf("archive %v: %w", key, err)
	}
	return a.sum, nil
}

// writer is one archive under construction.
type writer struct {
	db  *store.DB
	rd  *session.Reader
	key session.Key
	now time.Time
	zip *zip.Writer
	sum Summary

	view  *session.View // nil: there is none that can be read
	about about
}

// about is what the archive says of the player and of itself.
type about struct {
	Kind     string     `json:"kind"`
	ID       string     `json:"id"`
	Made     time.Time  `json:"made"`
	Created  *time.Time `json:"created,omitempty"`
	Saved    *time.Time `json:"saved,omitempty"`
	Version  string     `json:"version,omitempty"`
	Birth    string     `json:"birth,omitempty"`
	Revision uint64     `json:"revision,omitempty"`
	Playing  string     `json:"playing_on,omitempty"` // the server that has the player
	Notes    []string   `json:"notes"`
}

// open finds out whether there is anything, and begins the file.
func (a *writer) open(ctx context.Context, w io.Writer) error {
	view, err := a.rd.Peek(ctx, a.key)
	switch {
	case errors.Is(err, session.ErrNotFound):
		page, listErr := a.db.List(ctx, driver.Query{Prefix: a.key.String() + "/", Limit: 1, KeysOnly: true})
		if listErr != nil {
			return listErr
		}
		if len(page.Entries) == 0 {
			return err
		}
		a.note("nothing was ever saved, though something was sent to this player")
	case errors.Is(err, driver.ErrCorrupt), errors.Is(err, driver.ErrFormat):
		a.note("the present data could not be decoded, and are included as they are stored: %v", err)
	case err != nil:
		return err
	}
	a.view, a.zip = view, zip.NewWriter(w)
	a.about = about{Kind: a.key.Kind, ID: a.key.ID, Made: a.now.UTC().Truncate(time.Second)}
	return a.file("README.txt", []byte(strings.ReplaceAll(readme, "KEY", a.key.String())))
}

// close writes what is known at the end only, and ends the file.
func (a *writer) close() error {
	a.about.Notes = append([]string{}, a.sum.Notes...)
	if err := a.json("about.json", &a.about); err != nil {
		return err
	}
	return a.zip.Close()
}

func (a *writer) note(format string, args ...any) {
	a.sum.Notes = append(a.sum.Notes, fmt.Sprintf(format, args...))
}

// file adds a file to the archive.
func (a *writer) file(name string, text []byte) error {
	f, err := a.zip.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: a.now})
	if err == nil {
		_, err = f.Write(text)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}

// json adds a file that people can read.
func (a *writer) json(name string, v any) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("encode %s: %w", name, err)
	}
	return a.file(name, b.Bytes())
}

// raw adds stored bytes: as JSON if that is what they are, and else as they are. It
// returns the name with its ending.
func (a *writer) raw(name string, value []byte) (string, error) {
	var b bytes.Buffer
	if json.Indent(&b, value, "", "  ") == nil {
		name += ".json"
		return name, a.file(name, append(b.Bytes(), '\n'))
	}
	name += ".bin"
	return name, a.file(name, value)
}

// document adds the present data.
func (a *writer) document(ctx context.Context) error {
	v := a.view
	if v == nil {
		snap, err := a.db.Read(ctx, a.key.String())
		if err != nil || !snap.Entries[0].Found() {
			return err
		}
		_, err = a.raw("undecoded/root", snap.Entries[0].Value)
		return err
	}
	a.sum.Document = true
	created, saved := v.Created.UTC(), v.Updated.UTC()
	a.about.Created, a.about.Saved, a.about.Revision = &created, &saved, v.Revision
	a.about.Version, a.about.Birth = v.Version.String(), v.Birth.String()
	if v.Holder != nil && v.Holder.Expires.After(time.Now()) {
		a.about.Playing = v.Holder.Server
	}
	_, err := a.raw("document", v.Document.AppendJSON(nil))
	return err
}

// version is one version in versions.json.
type version struct {
	Version string    `json:"version"`
	Written time.Time `json:"written"`
	Kept    bool      `json:"kept,omitempty"`
	Reason  string    `json:"reason,omitempty"`
	By      string    `json:"by,omitempty"`
	File    string    `json:"file"`
	Note    string    `json:"note,omitempty"`
}

// versions adds the versions that are kept.
func (a *writer) versions(ctx context.Context) error {
	list, err := a.rd.Versions(ctx, a.key)
	if err != nil {
		return err
	}
	all := []version{}
	for i, info := range list {
		v, found, err := a.version(ctx, i+1, info)
		if err != nil {
			return err
		}
		if found {
			all = append(all, v)
		}
	}
	a.sum.Versions = len(all)
	return a.json("versions.json", all)
}

// version adds one version. It is not found if it has gone since it was listed.
func (a *writer) version(ctx context.Context, number int, info session.VersionInfo) (v version, found bool, err error) {
	v = version{Version: info.Version.String(), Written: info.Updated.UTC(), Kept: info.Marked}
	view, err := a.rd.ReadVersion(ctx, a.key, info.Version)
	name := fmt.Sprintf("%04d-%s", number, info.Updated.UTC().Format("20060102T150405Z"))
	var text []byte
	switch {
	case errors.Is(err, store.ErrNotFound), errors.Is(err, driver.ErrNotFound):
		return v, false, nil
	case errors.Is(err, driver.ErrCorrupt), errors.Is(err, driver.ErrFormat):
		v.Note = "could not be decoded, and is included as it is stored: " + err.Error()
		a.note("version %v %s", info.Version, v.Note)
		e, err := a.db.ReadVersion(ctx, a.key.String(), info.Version)
		if err != nil {
			return v, false, err
		}
		name, text = "undecoded/"+name, e.Value
	case err != nil:
		return v, false, err
	default:
		v.Reason, v.By = view.Reason, view.By
		name, text = "versions/"+name, view.Document.AppendJSON(nil)
	}
	v.File, err = a.raw(name, text)
	return v, true, err
}
