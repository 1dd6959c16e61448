package replicatest

import (
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
)

//go:embed scenarios/*.json
var files embed.FS

// Scenario is what happens to one player, and what his client has to see of it.
type Scenario struct {
	Name  string `json:"name"`
	Why   string `json:"why"`
	Steps []Step `json:"steps"`
}

// Step is one step of a scenario. The package's comment says what a driver does with
// those that are its own; Stage.step what the stage does with the others.
type Step struct {
	Do string `json:"do"`

	// For the stage.
	Writes []Write `json:"writes,omitempty"` // update: made all in one update
	Field  string  `json:"field,omitempty"`  // private, public, updated
	MS     int     `json:"ms,omitempty"`     // delay, wait: milliseconds
	Seed   uint64  `json:"seed,omitempty"`   // storm
	Count  int     `json:"count,omitempty"`  // storm: updates

	// For the driver.
	Fields    map[string]json.RawMessage `json:"fields,omitempty"`
	HasLoaded *bool                      `json:"hasLoaded,omitempty"`
	LoadError *string                    `json:"loadError,omitempty"`
	SaveError *string                    `json:"saveError,omitempty"`
	Loaded    *int                       `json:"loaded,omitempty"`
	Saved     *int                       `json:"saved,omitempty"`
	Ended     string                     `json:"ended,omitempty"`
	Times     int                        `json:"times,omitempty"`
	Text      string                     `json:"text,omitempty"`
	Token     *string                    `json:"token,omitempty"`
	Player    string                     `json:"player,omitempty"`
}

// Write is one write of an update. Without a value it removes the element, or resets the
// field.
type Write struct {
	Field   string          `json:"field"`
	Element *string         `json:"element,omitempty"`
	Value   json.RawMessage `json:"value,omitempty"`
}

// Scenarios returns all scenarios, in the order of their names.
func Scenarios() ([]Scenario, error) {
	names, err := fs.Glob(files, "scenarios/*.json")
	if err != nil {
		return nil, err
	}
	var all []Scenario
	for _, name := range names {
		text, err := files.ReadFile(name)
		if err != nil {
			return nil, err
		}
		var some []Scenario
		if err := json.Unmarshal(text, &some); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		all = append(all, some...)
	}
	return all, nil
}
