// Package natsbus carries the packets of a bus by NATS.
//
//	b, err := natsbus.Open(ctx, "nats://user:password@nats.example.com:4222", nil)
//
// A server of NATS can run in the process, with [Embed] or by a URL that begins
// with nats-embedded: (see [OpenEmbedded]); the other processes of the game
// connect to it as to any other.
//
// # Addresses
//
//	nats://[user[:password]@]host[:port][,nats://…][?parameters]
//	tls://…                                      the same, encrypted
//	nats-embedded:[//[user:password@]host:port]  a server in this process
//
// Several servers of one cluster are separated by commas. The parameters are
//
//	fleet=name    instead of Options.Fleet
//	creds=file    credentials of a NATS account
//	ca=file       certificates that sign the server's
//	cert=file     this client's certificate, with key=file
//
// # How it is used
//
// A topic's packets travel on the subject "holdfast.<fleet>.<topic>"; bytes of a
// topic that a subject must not have are written as % and two hexadecimal digits.
// Nothing but the core of NATS is needed: no JetStream. After a call of Send the
// server has the packets: it has answered a ping that came after them. A lost
// connection is found by pings within fifteen seconds if nothing else tells, and
// is opened again for as long as the Bus lives.
package natsbus
