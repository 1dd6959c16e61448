package driver

import (
	"context"
	"time"
)

// Limits of moving entries between databases.
const (
	PageBytes = 8 << 20 // bytes of values beyond which a page of records ends
	MaxBoot   = 128     // bytes in the name of a boot
)

// Transferer is implemented by a database whose entries can be moved into
// another as they are, with their version ids, times and retained versions.
// Commit could not: it chooses the times, and keeps only what a schedule says.
//
// The calls are as free of policy, as safe for concurrent use and as easily
// interrupted as those of [DB], and return the same errors.
type Transferer interface {
	// ReadRecords returns entries with their retained versions, in the order
	// of their keys' bytes, as they were at one moment.
	ReadRecords(ctx context.Context, q RecordQuery) (RecordPage, error)

	// WriteRecords stores records as they are, in place of what is under their
	// keys, all or none, if every check holds. It returns the states of the
	// entries that were not at the version that a check names; then nothing was
	// written. The records' own entries are not looked at: nobody else may be
	// using them. Writing the same once more changes nothing.
	//
	// A record whose Skipped is not zero adds to what earlier records of its
	// key have brought. If the database does not hold so many retained versions
	// under the record's present version, it is ErrInvalid; those beyond go.
	// Times are kept to the microsecond at least. A database without boots
	// drops Updated.Boot, and Updated.Tick is then what its own clock would
	// have shown at Updated.Wall.
	WriteRecords(ctx context.Context, t Transfer) ([]State, error)
}

// Transfer is what one call of WriteRecords applies.
type Transfer struct {
	Checks  []Check  // entries that must stand at a version, and are no record's; at most MaxBatch
	Records []Record // 1 to MaxRead, whose keys ascend
}

// Record is all that a database knows of one entry, or a part of that: an entry
// with many retained versions comes in several records.
type Record struct {
	Key     string
	Created time.Time
	Recent  []Version // as in Entry
	// Present is the present version. Its value is nil if Skipped is not zero:
	// it came with the first record.
	Present RecordVersion
	// Skipped is how many retained versions came in earlier records of the
	// key.
	Skipped int
	// Retained are retained versions in the order in which they were replaced,
	// those that were skipped left out.
	Retained []RecordVersion
	// More says that more retained versions come in the next record. What is
	// written needs no More.
	More bool
}

// RecordVersion is one version of an entry as it is stored.
type RecordVersion struct {
	Version Version
	Value   []byte
	Sum     uint32 // that was stored with the value; see Sum
	Updated Moment
	Marked  bool
	// Kept and Replaced are those of a retained version: whether no schedule's
	// Every and For removes it, and when another version took its place.
	Kept     bool
	Replaced time.Time
	// Damaged is as in Entry. A damaged version can be written if it is
	// damaged in its value or sum alone; it is damaged then in the same way
	// where it was written.
	Damaged error
}

// RecordQuery says what ReadRecords returns.
type RecordQuery struct {
	From  Place
	Limit int // at most so many versions, 1 to MaxRead; zero means MaxRead
	// Bare leaves out the values; Damaged is then not determined.
	Bare bool
}

// Place is a place between two versions in a database that is read record by
// record. The zero value is before the first.
type Place struct {
	// After is a key; what comes next sorts after it. Empty: from the first.
	After string
	// Skip, unless it is zero, says that what comes next is the entry After
	// itself once more, without its first Skip retained versions.
	Skip int
}

// RecordPage is what was read at one moment. It ends at its limit of versions,
// or after the version with which its values reached PageBytes. A record with
// More has at least one retained version even so: else reading would not come
// further.
type RecordPage struct {
	Records []Record
	More    bool // there is more to read, from Next
}

// Next returns the place at which the page ends. It is only for a page that
// has records.
func (p *RecordPage) Next() Place {
	last := &p.Records[len(p.Records)-1]
	if last.More {
		return Place{After: last.Key, Skip: last.Skipped + len(last.Retained)}
	}
	return Place{After: last.Key}
}

// PageSize counts what a page of records holds, so that all drivers end a page
// at the same place.
type PageSize struct {
	Limit           int // of versions
	versions, bytes int
}

// Add counts a version whose value has so many bytes.
func (s *PageSize) Add(bytes int) {
	s.versions++
	s.bytes += bytes
}

// Left returns how many versions still have room; zero: the page is full.
func (s *PageSize) Left() int {
	if s.bytes >= PageBytes {
		return 0
	}
	return max(s.Limit-s.versions, 0)
}
