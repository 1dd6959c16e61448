package roblox_test

import (
	"encoding/json"
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/roblox"
)

// profile is a profile as ProfileStore stores it; more goes into MetaData.
func profile(data, more, updates string) string {
	return `{"Data":` + data + `,"MetaData":{"ProfileCreateTime":1700000000,"SessionLoadCount":3,"LastUpdate":1700000900,"MetaTags":[]` + more +
		`},"RobloxMetaData":[],"UserIds":[42],"GlobalUpdates":` + updates + `,"WasOverwritten":false}`
}

// object returns the members of a JSON object.
func object(text string) map[string]json.RawMessage {
	var m map[string]json.RawMessage
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		panic(err)
	}
	return m
}

const noUpdates = `[0,[]]`

func TestDecode(t *testing.T) {
	for name, c := range map[string]struct {
		form  roblox.Form
		entry roblox.Entry
		o     *roblox.Options
		want  roblox.Record // Beside is not compared
	}{
		"NexusTableIsTheData": {
			roblox.Nexus, roblox.Entry{Key: "PlayerList$42", Value: []byte(`{"coins":120,"bag":{"sword":1,"bread":3}}`)}, nil,
			roblox.Record{Fields: object(`{"coins":120,"bag":{"sword":1,"bread":3}}`)},
		},
		"EmptyTopTableHasNoFields": {
			roblox.Nexus, roblox.Entry{Key: "PlayerList$42", Value: []byte(`[ ]`)}, nil,
			roblox.Record{Fields: object(`{}`)},
		},
		"ProfileStoreDataLeavesItsEnvelope": {
			roblox.ProfileStore, roblox.Entry{Key: "Player_42", Value: []byte(profile(`{"xp":7}`, "", noUpdates))}, nil,
			roblox.Record{Fields: object(`{"xp":7}`)},
		},
		"ProfileStoreSessionIsALock": {
			roblox.ProfileStore, roblox.Entry{Key: "42", Value: []byte(profile(`{"xp":7}`, `,"ActiveSession":[99,"a-b",3]`, noUpdates))}, nil,
			roblox.Record{Fields: object(`{"xp":7}`), Lock: "place 99, job a-b"},
		},
		"ProfileServiceMessagesAndTagsAreTheGames": {
			roblox.ProfileStore, roblox.Entry{Key: "42", Value: []byte(strings.Replace(profile(`{}`, "", `[2,[[1,1,false,{"gift":1}],[2,1,true,{"gift":2}]]]`), `"MetaTags":[]`, `"MetaTags":{"vip":true}`, 1))}, nil,
			roblox.Record{Fields: object(`{}`), Owned: []string{"GlobalUpdates (messages: 2)", "MetaTags"}},
		},
		"ProfileWithMessagesAloneHasNoFields": {
			roblox.ProfileStore, roblox.Entry{Key: "42", Value: []byte(`{"GlobalUpdates":[1,[[1,{"gift":1}]]]}`)}, nil,
			roblox.Record{Owned: []string{"GlobalUpdates (messages: 1)"}},
		},
		"LapisLockAndMigration": {
			roblox.Lapis, roblox.Entry{Key: "Player42", Value: []byte(`{"migrationVersion":3,"lastCompatibleVersion":2,"lockId":"ab","data":{"level":4}}`)}, nil,
			roblox.Record{Fields: object(`{"level":4}`), Lock: "ab", Migration: 3},
		},
		"DataStore2IsAFieldOfTheStoresName": {
			roblox.DataStore2, roblox.Entry{Store: "coins/42", Key: "7", Value: []byte(`150`)}, nil,
			roblox.Record{Fields: object(`{"coins":150}`)},
		},
		"DataStore2MainHoldsTheFields": {
			roblox.DataStore2, roblox.Entry{Store: "DATA", Key: "42", Value: []byte(`{"coins":150,"bag":[]}`)}, &roblox.Options{Main: []string{"DATA"}, Maps: []string{"bag"}},
			roblox.Record{Fields: object(`{"coins":150,"bag":{}}`)},
		},
		"PlainValueInAField": {
			roblox.Plain, roblox.Entry{Key: "User_42", Value: []byte(`false`)}, &roblox.Options{Field: "vip"},
			roblox.Record{Fields: object(`{"vip":false}`)},
		},
		"EmptyTablesAreListsUnlessTheyAreSaidToBeMaps": {
			roblox.Plain, roblox.Entry{Key: "42", Value: []byte(`{"bag":[],"pets":[{"skills":[],"toys":[]},{"toys":[]}],"a/b":[],"full":[[]]}`)},
			&roblox.Options{Maps: []string{"bag", "pets/*/skills", "a~1b"}},
			roblox.Record{Fields: object(`{"bag":{},"pets":[{"skills":{},"toys":[]},{"toys":[]}],"a/b":{},"full":[[]]}`), Lists: []string{"pets/*/toys", "full/*"}},
		},
		"WholeNumbersLoseFractionAndExponent": {
			roblox.Plain, roblox.Entry{Key: "42", Value: []byte(`[1e+15,5.0,-2E2,0.5,1e+18,1e+19,1e300,9007199254740993,-0.0]`)}, &roblox.Options{Field: "n"},
			roblox.Record{Fields: object(`{"n":[1000000000000000,5,-200,0.5,1000000000000000000,1e+19,1e300,9007199254740993,0]}`)},
		},
		"NumbersAsNamesStayNames": {
			roblox.Plain, roblox.Entry{Key: "42", Value: []byte(`{"slots":{"1":"sword","3":"bread"}}`)}, nil,
			roblox.Record{Fields: object(`{"slots":{"1":"sword","3":"bread"}}`)},
		},
		"DeletedHoldsNothing": {
			roblox.Lapis, roblox.Entry{Key: "42", Deleted: true}, nil,
			roblox.Record{},
		},
		"SessionLockedDataStoreWrapperLocksInTheMetadata": {
			roblox.Plain, roblox.Entry{Key: "42", Value: []byte(`{"coins":5}`), Metadata: []byte(`{"lockId":"{AB-1}"}`)}, nil,
			roblox.Record{Fields: object(`{"coins":5}`), Lock: "{AB-1}"},
		},
		"SessionLockedDataStoreWrapperStoresNil": {
			roblox.Plain, roblox.Entry{Key: "42", Value: []byte(`"<nil>"`), Metadata: []byte(`{"lockId":"x","rank":1}`)}, nil,
			roblox.Record{Lock: "x", Owned: []string{"metadata"}},
		},
		"MetadataAreTheGames": {
			roblox.Nexus, roblox.Entry{Key: "PlayerList$42", Value: []byte(`{}`), Metadata: []byte(`{"rank":"gold"}`)}, nil,
			roblox.Record{Fields: object(`{}`), Owned: []string{"metadata"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := c.form.Decode(&c.entry, c.o)
			if err != nil {
				t.Fatalf("Decode(%s) = %v", c.entry.Value, err)
			}
			beside := got.Beside
			if got.Beside = nil; !cmp.Equal(*got, c.want) {
				t.Errorf("Decode(%s): %s", c.entry.Value, cmp.Diff(c.want, *got))
			}
			if !c.entry.Deleted && !json.Valid(beside) {
				t.Errorf("Beside = %s, want an object", beside)
			}
		})
	}
}

// refusals are entries that each form must refuse, with what the error says.
var refusals = map[string]struct {
	form  roblox.Form
	entry roblox.Entry
	o     *roblox.Options
	why   string
}{
	"ListOfFields":         {roblox.Nexus, roblox.Entry{Key: "k", Value: []byte(`[1]`)}, nil, "is a list"},
	"CompressedString":     {roblox.Nexus, roblox.Entry{Key: "k", Value: []byte(`"*#coins>5"`)}, nil, "is a string"},
	"CompressedBySuphi":    {roblox.Plain, roblox.Entry{Key: "k", Value: []byte(`{}`), Metadata: []byte(`{"Compress":{"Level":2}}`)}, nil, "compressed"},
	"Null":                 {roblox.Plain, roblox.Entry{Key: "k", Value: []byte(`null`)}, nil, "not a table"},
	"HoleInAList":          {roblox.Plain, roblox.Entry{Key: "k", Value: []byte(`{"equipped":["sword",null,"bread"]}`)}, nil, `null at "/equipped/1"`},
	"NullMember":           {roblox.Plain, roblox.Entry{Key: "k", Value: []byte(`{"a":{"b":null}}`)}, nil, `null at "/a/b"`},
	"NaN":                  {roblox.Plain, roblox.Entry{Key: "k", Value: []byte(`{"best":NaN}`)}, nil, "invalid character"},
	"LuaNaN":               {roblox.Plain, roblox.Entry{Key: "k", Value: []byte(`{"best":-nan}`)}, nil, "invalid character"},
	"Infinity":             {roblox.Plain, roblox.Entry{Key: "k", Value: []byte(`{"stats":{"best":1e+9999}}`)}, nil, `at "/stats/best" is infinite`},
	"Cut":                  {roblox.Plain, roblox.Entry{Key: "k", Value: []byte(`{"coins":5,"bag":{"sw`)}, nil, "EOF"},
	"Two":                  {roblox.Plain, roblox.Entry{Key: "k", Value: []byte(`{} {}`)}, nil, "follows"},
	"NameTwice":            {roblox.Plain, roblox.Entry{Key: "k", Value: []byte(`{"a":1,"a":2}`)}, nil, "duplicate"},
	"InvalidUTF8":          {roblox.Plain, roblox.Entry{Key: "k", Value: []byte("{\"a\":\"\xff\"}")}, nil, "UTF-8"},
	"HoldfastsOwnField":    {roblox.Plain, roblox.Entry{Key: "k", Value: []byte(`{"~slots":1}`)}, nil, "Holdfast's own"},
	"HoldfastsOwnName":     {roblox.Plain, roblox.Entry{Key: "k", Value: []byte(`1`)}, &roblox.Options{Field: "~x"}, "Holdfast's own"},
	"NoEnvelope":           {roblox.ProfileStore, roblox.Entry{Key: "k", Value: []byte(`{"coins":5}`)}, nil, "Data is missing"},
	"ProfileWithoutMeta":   {roblox.ProfileStore, roblox.Entry{Key: "k", Value: []byte(`{"Data":{},"GlobalUpdates":[0,[]]}`)}, nil, "MetaData is missing"},
	"ProfileOfNoTable":     {roblox.ProfileStore, roblox.Entry{Key: "k", Value: []byte(profile(`5`, "", noUpdates))}, nil, "Data is not a table"},
	"ProfileOddSession":    {roblox.ProfileStore, roblox.Entry{Key: "k", Value: []byte(profile(`{}`, `,"ActiveSession":7`, noUpdates))}, nil, "ActiveSession"},
	"ProfileOddUpdates":    {roblox.ProfileStore, roblox.Entry{Key: "k", Value: []byte(profile(`{}`, "", `{"a":1}`))}, nil, "GlobalUpdates"},
	"ProfileOddMessages":   {roblox.ProfileStore, roblox.Entry{Key: "k", Value: []byte(profile(`{}`, "", `[1,5]`))}, nil, "messages"},
	"LapisWithoutVersion":  {roblox.Lapis, roblox.Entry{Key: "k", Value: []byte(`{"data":{}}`)}, nil, "migrationVersion is missing"},
	"LapisWithoutData":     {roblox.Lapis, roblox.Entry{Key: "k", Value: []byte(`{"migrationVersion":1}`)}, nil, "data is missing"},
	"LapisOddVersion":      {roblox.Lapis, roblox.Entry{Key: "k", Value: []byte(`{"migrationVersion":-1,"data":{}}`)}, nil, "migrationVersion"},
	"LapisOddLock":         {roblox.Lapis, roblox.Entry{Key: "k", Value: []byte(`{"migrationVersion":1,"lockId":5,"data":{}}`)}, nil, "lockId"},
	"DataStore2NoStore":    {roblox.DataStore2, roblox.Entry{Key: "42", Value: []byte(`1`)}, nil, "does not say"},
	"DataStore2MainNumber": {roblox.DataStore2, roblox.Entry{Store: "DATA", Key: "42", Value: []byte(`1`)}, &roblox.Options{Main: []string{"DATA"}}, "not a table"},
	"UnknownForm":          {"suphi", roblox.Entry{Key: "k", Value: []byte(`{}`)}, nil, "no form"},
	"MetadataOfNoObject":   {roblox.Plain, roblox.Entry{Key: "k", Value: []byte(`{}`), Metadata: []byte(`5`)}, nil, "metadata"},
	"NoKey":                {roblox.Plain, roblox.Entry{Value: []byte(`{}`)}, nil, "key is empty"},
}

func TestDecodeRefuses(t *testing.T) {
	for name, c := range refusals {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, err := c.form.Decode(&c.entry, c.o)
			if !errors.Is(err, roblox.ErrForm) || !strings.Contains(err.Error(), c.why) {
				t.Errorf("Decode(%s) = %+v, %v, want an ErrForm that says %q", c.entry.Value, r, err, c.why)
			}
		})
	}
}

func TestBesideKeepsTheEnvelopeWithoutDataAndLock(t *testing.T) {
	e := &roblox.Entry{
		Store: "Players", Key: "Player_42", UserIDs: []string{"42"}, Version: "08DC.1",
		Value: []byte(profile(`{"xp":7}`, `,"ActiveSession":[9,"j"],"ForceLoadSession":[8,"k"]`, `[1,[[1,{"gift":1}]]]`)),
	}
	r, err := roblox.ProfileStore.Decode(e, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"GlobalUpdates":[1,[[1,{"gift":1}]]],"MetaData":{"LastUpdate":1700000900,"MetaTags":[],"ProfileCreateTime":1700000000,"SessionLoadCount":3},
		"RobloxMetaData":[],"UserIds":[42],"WasOverwritten":false,"entry":{"store":"Players","key":"Player_42","version":"08DC.1","userIds":["42"]}}`
	if !document.Equal(r.Beside, []byte(want)) {
		t.Errorf("Beside = %s, want %s", r.Beside, want)
	}
}

func TestPlace(t *testing.T) {
	custom := &roblox.Options{ID: regexp.MustCompile(`save:(.+):v2`)}
	for _, c := range []struct {
		form  roblox.Form
		entry roblox.Entry
		o     *roblox.Options
		want  roblox.Place
		why   string // an error that says this
	}{
		{roblox.Nexus, roblox.Entry{Key: "PlayerList$42"}, nil, roblox.Place{ID: "42"}, ""},
		{roblox.Nexus, roblox.Entry{Key: "global/PlayerList$42"}, nil, roblox.Place{ID: "42"}, ""},
		{roblox.Nexus, roblox.Entry{Key: "Player_42"}, nil, roblox.Place{}, "names no player"},
		{roblox.ProfileStore, roblox.Entry{Key: "Player_42"}, nil, roblox.Place{ID: "42"}, ""},
		{roblox.ProfileStore, roblox.Entry{Key: "42"}, nil, roblox.Place{ID: "42"}, ""},
		{roblox.ProfileStore, roblox.Entry{Key: "Player_-1"}, nil, roblox.Place{}, "names no player"},
		{roblox.Lapis, roblox.Entry{Key: "Player42"}, nil, roblox.Place{ID: "42"}, ""},
		{roblox.Plain, roblox.Entry{Key: "user-42"}, nil, roblox.Place{ID: "42"}, ""},
		{roblox.Plain, roblox.Entry{Key: "Guild_42"}, nil, roblox.Place{}, "names no player"},
		{roblox.Plain, roblox.Entry{Key: "save:steve:v2"}, custom, roblox.Place{ID: "steve"}, ""},
		{roblox.Plain, roblox.Entry{Key: "my save:steve:v2"}, custom, roblox.Place{}, "names no player"},
		{roblox.Plain, roblox.Entry{Key: "42"}, &roblox.Options{ID: regexp.MustCompile(`\d+`)}, roblox.Place{}, "0 groups"},
		{roblox.Plain, roblox.Entry{Key: "42", Ordered: true}, nil, roblox.Place{}, "ordered"},
		{roblox.DataStore2, roblox.Entry{Store: "DATA/42", Key: "7"}, nil, roblox.Place{ID: "42", Store: "DATA", Backup: 7}, ""},
		{roblox.DataStore2, roblox.Entry{Store: "a/b/42", Key: "1600000000"}, nil, roblox.Place{ID: "42", Store: "a/b", Backup: 1600000000}, ""},
		{roblox.DataStore2, roblox.Entry{Store: "DATA/42", Key: "7", Ordered: true, Value: []byte("9")}, nil, roblox.Place{ID: "42", Store: "DATA", Backup: 9, Listed: true}, ""},
		{roblox.DataStore2, roblox.Entry{Store: "DATA", Key: "42"}, nil, roblox.Place{ID: "42", Store: "DATA"}, ""},
		{roblox.DataStore2, roblox.Entry{Store: "DATA/42", Key: "seven"}, nil, roblox.Place{}, "number of a backup"},
		{roblox.DataStore2, roblox.Entry{Store: "DATA/42", Key: "0"}, nil, roblox.Place{}, "number of a backup"},
		{roblox.DataStore2, roblox.Entry{Store: "DATA", Key: "steve"}, nil, roblox.Place{}, "not a user id"},
		{roblox.DataStore2, roblox.Entry{Store: "wins", Key: "42", Ordered: true, Value: []byte("3")}, nil, roblox.Place{}, "of no player"},
		{roblox.DataStore2, roblox.Entry{Store: "DATA", Key: "42"}, custom, roblox.Place{}, "no use"},
	} {
		got, err := c.form.Place(&c.entry, c.o)
		if got != c.want || (err == nil) != (c.why == "") || err != nil && (!errors.Is(err, roblox.ErrForm) || !strings.Contains(err.Error(), c.why)) {
			t.Errorf("%s.Place(%+v) = %+v, %v, want %+v, %q", c.form, c.entry, got, err, c.want, c.why)
		}
	}
}

func TestArrange(t *testing.T) {
	backup := func(store string, n int64) roblox.Place { return roblox.Place{ID: "42", Store: store, Backup: n} }
	listed := func(store string, n int64) roblox.Place {
		return roblox.Place{ID: "42", Store: store, Backup: n, Listed: true}
	}
	for name, c := range map[string]struct {
		places []roblox.Place
		want   roblox.Arrangement
		why    string
	}{
		"TheHighestBackupIsTheNewest": {
			[]roblox.Place{backup("DATA", 9), backup("DATA", 10), backup("DATA", 2)}, roblox.Arrangement{Newest: []int{1}, Older: []int{2, 0}}, "",
		},
		"WhatIsNotListedWasCutShort": {
			[]roblox.Place{backup("DATA", 1), backup("DATA", 2), backup("DATA", 3), listed("DATA", 2), listed("DATA", 1)},
			roblox.Arrangement{Newest: []int{1}, Older: []int{0}, Unused: []int{2}}, "",
		},
		"AListOfTheNewestAloneIsEnough": {
			[]roblox.Place{listed("DATA", 2), backup("DATA", 1), backup("DATA", 2)}, roblox.Arrangement{Newest: []int{2}, Older: []int{1}}, "",
		},
		"ANewestThatIsMissingIsHalfAnExport": {
			[]roblox.Place{listed("DATA", 3), backup("DATA", 1), backup("DATA", 2)}, roblox.Arrangement{}, "backup 3",
		},
		"AListWithoutBackupsIsHalfAnExport": {
			[]roblox.Place{listed("DATA", 3)}, roblox.Arrangement{}, "backup 3",
		},
		"SeveralStoresHaveNoCommonOrder": {
			[]roblox.Place{backup("coins", 4), backup("bag", 1), backup("bag", 2), backup("coins", 3)},
			roblox.Arrangement{Newest: []int{2, 0}, Unused: []int{1, 3}}, "",
		},
		"ABackupTwiceIsRefused":        {[]roblox.Place{backup("DATA", 1), backup("DATA", 1)}, roblox.Arrangement{}, "twice"},
		"TwoKeysOfOnePlayerAreRefused": {[]roblox.Place{{ID: "42"}, {ID: "42"}}, roblox.Arrangement{}, "several entries"},
		"OneEntry":                     {[]roblox.Place{{ID: "42"}}, roblox.Arrangement{Newest: []int{0}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := roblox.Arrange(c.places)
			if c.why != "" {
				if !errors.Is(err, roblox.ErrForm) || !strings.Contains(err.Error(), c.why) {
					t.Errorf("Arrange = %+v, %v, want an ErrForm that says %q", got, err, c.why)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			empty := func(s []int) []int { return append([]int{}, s...) }
			a, b := roblox.Arrangement{Newest: got.Newest, Older: empty(got.Older), Unused: empty(got.Unused)}, c.want
			b.Older, b.Unused = empty(b.Older), empty(b.Unused)
			if d := cmp.Diff(b, a); d != "" {
				t.Errorf("Arrange: %s", d)
			}
		})
	}
}

func TestJoin(t *testing.T) {
	decode := func(store, key, value string) *roblox.Record {
		r, err := roblox.DataStore2.Decode(&roblox.Entry{Store: store, Key: key, Value: []byte(value)}, &roblox.Options{Main: []string{"DATA"}})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	got, err := roblox.Join([]*roblox.Record{decode("bag", "42", `["sword"]`), decode("coins/42", "3", `5`)})
	if text, _ := got.JSON(); err != nil || string(text) != `{"bag":["sword"],"coins":5}` {
		t.Errorf("Join = %s, %v, want both fields", text, err)
	}
	if _, err := roblox.Join([]*roblox.Record{decode("DATA", "42", `{"coins":1}`), decode("coins", "42", `5`)}); !errors.Is(err, roblox.ErrForm) {
		t.Errorf("Join of two that have coins = %v, want ErrForm", err)
	}
}
