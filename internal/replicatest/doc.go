// Package replicatest holds clients of package replica to their behaviour, in whatever
// language they are written. Only tests use it.
//
// # Parts
//
// A [Stage] has game servers with players, an HTTP server by which a test tells them
// what to do, and for each player a [Proxy] in front of them that cuts, delays,
// repeats and reorders what passes. The [Scenarios] say what happens on the stage and
// what a client has to see of it; they are data, in scenarios/*.json. A client's test
// is a driver: it plays each scenario with its own client.
//
//	go run ./internal/replicatest/serve
//
// runs a stage for a driver that is not written in Go. It writes one line, a JSON
// object with the member "control": the URL of the stage. It ends when its input does.
//
// # The stage's requests
//
//	GET  /scenarios    all scenarios, as a JSON list
//	POST /begin        {"scenario": name}: a player for it, as [Begun]
//	POST /step?player= a [Step] for the stage; answers when it is done
//	GET  /state?player= what a client is to have of the player now: the public fields
//	POST /end?player=  removes the player and his proxy
//
// # What a driver does
//
// For each scenario it asks for a player and goes through the steps. A step whose "do"
// is one of these is the driver's own; any other is posted to the stage as it is.
//
//	connect   makes a client for the player, at Begun.URL, with Begun.Token (or with
//	          the step's "token", and the player of the step's "player", if it has one),
//	          and the pauses 10 ms and 100 ms; what it was told is counted from here
//	expect    waits, for 10 s at most, until everything that the step says is so:
//	          "fields" (each as it says; null: there is none), "hasLoaded", "loadError",
//	          "saveError", "loaded" (how often that was told), "saved" (how often it was told, at
//	          least), "ended" (the reason with which the client has given up)
//	updated   waits until the "field" was told as updated at least "times" times since the last
//	          such step
//	same      waits until the client's fields are those that /state answers, and remain so
//	never     fails if the client was ever given, in any callback, or has now, a value
//	          that contains the "text"
//	close     closes the client
//
// Values are compared as JSON values.
package replicatest
