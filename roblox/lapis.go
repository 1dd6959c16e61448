package roblox

import (
	"github.com/go-json-experiment/json"
)

// decodeLapis reads a document of Lapis. Versions before 0.2.8 also wrote a
// compressionScheme, of which only "None" was ever in use.
func decodeLapis(e *Entry, o *Options) (*Record, error) {
	m, err := split(e.Value, "the value")
	if err != nil {
		return nil, err
	}
	r := &Record{}
	for _, name := range []string{"data", "migrationVersion"} {
		if m[name] == nil {
			return nil, wrong("no document of Lapis: %s is missing", name)
		}
	}
	if err := json.Unmarshal(m["migrationVersion"], &r.Migration); err != nil || r.Migration < 0 {
		return nil, wrong("migrationVersion %s is not a number of migrations", shown(string(m["migrationVersion"])))
	}
	if !nothing(m["lockId"]) {
		if err := json.Unmarshal(m["lockId"], &r.Lock); err != nil {
			return nil, wrong("lockId is not a string")
		}
	}
	if r.Fields, r.Lists, err = fields(m["data"], "data", o); err != nil {
		return nil, err
	}
	delete(m, "data")
	delete(m, "lockId")
	return r, r.beside(e, m)
}
