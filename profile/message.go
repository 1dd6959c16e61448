package profile

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/holdfast-games/holdfast/audit"
	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/session"
	"github.com/holdfast-games/holdfast/store"
)

// Limits of messages.
const (
	MaxMessageID   = 100                  // bytes
	MaxTopic       = 50                   // bytes
	MaxMessageBody = 64 << 10             // bytes
	MaxMessages    = 1000                 // that wait for one profile, sent by Server.Send
	MinMessageLife = time.Second          // from sending to Until
	MaxMessageLife = 400 * 24 * time.Hour // likewise
)

// DefaultMessageLife is how long a message lives that was sent without Until.
const DefaultMessageLife = 30 * 24 * time.Hour

// Message is something that is to happen to a profile: an entry beside the
// player's root, from the moment it is sent until it has happened, whoever has
// the player by then. It happens once: the handler's changes and the note that it
// was handled are on disk together.
type Message struct {
	// ID names the message among those to one profile, 1 to MaxMessageID bytes
	// of text: until the message's end, or for as long as its dead letter is kept,
	// another one of the same id is the same message. Empty gives it an id of its
	// own, which sorts after those that the server gave before.
	ID string
	// Topic says which handler it is for, 1 to MaxTopic bytes of text.
	Topic string
	// Body is what the handler gets: JSON of at most MaxMessageBody bytes, or nil.
	Body json.RawMessage
	// Until is when it ends, by the database's clock: what was not handled by
	// then never is. MinMessageLife to MaxMessageLife from now. Zero means
	// DefaultMessageLife from now.
	Until time.Time
	// For is the birth id of the profile that is meant: if another one is kept
	// under the id by then, the message ends unhandled. Zero: whoever comes.
	For driver.Version
	// Slot is the id of the save slot that it is for: it is handled while that is
	// loaded, and waits until then. Once that slot is gone for good it is a dead
	// letter. Empty: it is for the account, or for whichever slot is loaded, as its
	// handler likes.
	Slot string
	// Reason says why, for the journal and the history: at most
	// session.MaxReason bytes of text. Empty: none is told.
	Reason string
	// From is the name of the server that sent it, Giver the profile whose update
	// sent it (zero: none did), and Sent the database's time of that. Sending sets
	// them.
	From  string
	Giver session.Key
	Sent  time.Time

	// Audit is the operator's act that the message carries out, or nil. It is written
	// into the audit log by the update that handles the message, with what came of it;
	// its By, What, Reason (empty: the message's) and Details count.
	Audit *audit.Act

	prepared any
	came     string // what the audit log says of it; empty: the outcome does
}

// Prepared returns what the topic's Preparer returned, or nil.
func (m *Message) Prepared() any { return m.prepared }

// A message is stored under the root as mail/<id>. In the commit that carries
// what its handler changed it is deleted, and done/<id> is written, which says
// what came of it and stays longer than the message could have: so a message of
// the same id that is sent again, or whose sending is carried out late, is known.
// One whose handler failed is kept as dead/<id>.
const (
	mailFolder = "mail"
	doneFolder = "done"
	deadFolder = "dead"
)

func folder(key session.Key, name string) string { return key.String() + "/" + name + "/" }

func entryKey(key session.Key, name, id string) string {
	return folder(key, name) + store.JoinKey(id)
}

const (
	messageFormat     = 1
	slotMessageFormat = 2 // of one that names a save slot
)

// storedMessage is a message as it is stored.
type storedMessage struct {
	Format int             `json:"format"`
	Topic  string          `json:"topic"`
	Body   json.RawMessage `json:"body,omitempty"`
	Until  time.Time       `json:"until"`
	For    driver.Version  `json:"for"`
	Slot   string          `json:"slot,omitempty"`
	Reason string          `json:"reason,omitempty"`
	From   string          `json:"from,omitempty"`
	Giver  string          `json:"giver,omitempty"`
	Audit  *storedAudit    `json:"audit,omitempty"`
	// Of a dead letter: why and when it died, and when it was sent.
	Error string    `json:"error,omitempty"`
	Died  time.Time `json:"died,omitzero"`
	Sent  time.Time `json:"sent,omitzero"`
}

// stored returns the stored form of a message.
func (m *Message) stored() storedMessage {
	st := storedMessage{
		Format: m.format(), Topic: m.Topic, Body: m.Body, Until: m.Until, For: m.For, Slot: m.Slot, Reason: m.Reason, From: m.From,
		Audit: m.storedAudit(),
	}
	if m.Giver != (session.Key{}) {
		st.Giver = m.Giver.String()
	}
	return st
}

// storedOutcome is what came of a message.
type storedOutcome struct {
	Format   int             `json:"format"`
	Topic    string          `json:"topic"`
	Result   json.RawMessage `json:"result,omitempty"`
	Revision uint64          `json:"revision,omitempty"`
	Error    string          `json:"error,omitempty"`
	Until    time.Time       `json:"until"` // when it may go

	refused string // why its handler has changed nothing, for the audit log
}

// outcomeStays is how much longer than its message an outcome is kept: a clock
// that is set back by less does no harm.
const outcomeStays = time.Hour

// prepare checks a message and fills in what was left out.
func (c *common) prepare(m *Message) error {
	if m.ID == "" {
		id, err := c.nextID()
		if err != nil {
			return err
		}
		m.ID = id.String()
	}
	now := c.ss.Now()
	if m.Until.IsZero() {
		m.Until = now.Add(DefaultMessageLife)
	}
	m.Until = m.Until.UTC().Round(time.Millisecond)
	m.From, m.Giver, m.Sent = c.ss.Name(), session.Key{}, time.Time{}
	if err := checkText("id", m.ID, MaxMessageID); err != nil {
		return err
	}
	if err := checkText("topic", m.Topic, MaxTopic); err != nil {
		return err
	}
	if err := m.prepareAudit(m.From); err != nil {
		return err
	}
	if m.Slot != "" {
		if err := CheckSlot(m.Slot); err != nil {
			return err
		}
	}
	life := m.Until.Sub(now)
	switch {
	case life < MinMessageLife || life > MaxMessageLife:
		return fmt.Errorf("%w: message that lives for %v, %v to %v allowed", driver.ErrInvalid, life.Round(time.Millisecond), MinMessageLife, MaxMessageLife)
	case len(m.Reason) > session.MaxReason || !utf8.ValidString(m.Reason):
		return fmt.Errorf("%w: reason of %d bytes, at most %d of UTF-8", driver.ErrInvalid, len(m.Reason), session.MaxReason)
	case len(m.Body) > MaxMessageBody:
		return fmt.Errorf("%w: message body of %d bytes, at most %d", document.ErrTooLarge, len(m.Body), MaxMessageBody)
	}
	if len(m.Body) == 0 {
		m.Body = nil
		return nil
	}
	body, err := document.Compact(m.Body, nil)
	if err != nil {
		return fmt.Errorf("message body: %w", err)
	}
	m.Body = body
	return nil
}

// ids gives messages ids of their own. Those of one server sort in the order in
// which they were given, so that messages which one commit creates keep it.
type ids struct {
	mu   sync.Mutex
	last driver.Version
}

func (c *common) nextID() (driver.Version, error) {
	id, err := c.ss.DB().NewVersion()
	if err != nil {
		return id, err
	}
	c.ids.mu.Lock()
	defer c.ids.mu.Unlock()
	if bytes.Compare(id[:], c.ids.last[:]) <= 0 {
		id = c.ids.last
		for i := len(id) - 1; i >= 0; i-- {
			if id[i]++; id[i] != 0 {
				break
			}
		}
	}
	c.ids.last = id
	return id, nil
}

func checkText(what, s string, most int) error {
	switch {
	case s == "" || len(s) > most:
		return fmt.Errorf("%w: message %s of %d bytes, 1 to %d allowed: %.60q", driver.ErrInvalid, what, len(s), most, s)
	case !utf8.ValidString(s) || strings.IndexByte(s, 0) >= 0:
		return fmt.Errorf("%w: message %s %q is not UTF-8 text without NUL", driver.ErrInvalid, what, s)
	}
	return nil
}

// write returns the entry of a message that was prepared.
func (m *Message) write(to session.Key) (driver.Write, error) {
	value, err := json.Marshal(m.stored())
	if err != nil {
		return driver.Write{}, fmt.Errorf("encode message: %w", err)
	}
	w := driver.Write{Key: entryKey(to, mailFolder, m.ID), Mode: driver.Once, Value: value}
	return w, driver.CheckKey(w.Key)
}

// decodeMessage reads the entry of a message, or of a dead letter.
func decodeMessage(e *driver.Entry) (*Message, *storedMessage, error) {
	var st storedMessage
	parts, err := store.SplitKey(e.Key)
	switch {
	case e.Damaged != nil:
		return nil, nil, fmt.Errorf("read message %q: %w", e.Key, e.Damaged)
	case err != nil || len(parts) != 4:
		return nil, nil, fmt.Errorf("read message %q: %w: not a message's key", e.Key, driver.ErrCorrupt)
	}
	if err := decodeStored(e.Value, &st); err != nil {
		return nil, nil, fmt.Errorf("read message %q: %w", e.Key, err)
	}
	m := &Message{
		ID: parts[3], Topic: st.Topic, Body: st.Body, Until: st.Until, For: st.For, Slot: st.Slot, Reason: st.Reason,
		From: st.From, Sent: e.Created, Audit: st.Audit.act(st.Reason),
	}
	if !st.Sent.IsZero() {
		m.Sent = st.Sent
	}
	if st.Giver != "" {
		if m.Giver, err = session.ParseKey(st.Giver); err != nil {
			return nil, nil, fmt.Errorf("read message %q: %w: its giver: %w", e.Key, driver.ErrCorrupt, err)
		}
	}
	return m, &st, nil
}

// decodeStored decodes what is stored for a message, into what it should be. What
// a newer program wrote may have any other form.
func decodeStored(value []byte, into any) error {
	var head struct {
		Format int `json:"format"`
	}
	if err := json.Unmarshal(value, &head); err != nil {
		return fmt.Errorf("%w: %w", driver.ErrCorrupt, err)
	}
	switch {
	case head.Format > slotMessageFormat:
		return fmt.Errorf("%w: format %d, this program reads up to %d", driver.ErrFormat, head.Format, slotMessageFormat)
	case head.Format < messageFormat:
		return fmt.Errorf("%w: format %d", driver.ErrCorrupt, head.Format)
	}
	if err := json.Unmarshal(value, into); err != nil {
		return fmt.Errorf("%w: %w", driver.ErrCorrupt, err)
	}
	return nil
}

func (o *storedOutcome) write(to session.Key, id string) (driver.Write, error) {
	o.Format = messageFormat
	value, err := json.Marshal(o)
	if err != nil {
		return driver.Write{}, fmt.Errorf("encode outcome: %w", err)
	}
	return driver.Write{Key: entryKey(to, doneFolder, id), Mode: driver.Always, Value: value}, nil
}

func decodeOutcome(e *driver.Entry) (*storedOutcome, error) {
	var o storedOutcome
	if e.Damaged != nil {
		return nil, fmt.Errorf("read outcome %q: %w", e.Key, e.Damaged)
	}
	if err := decodeStored(e.Value, &o); err != nil {
		return nil, fmt.Errorf("read outcome %q: %w", e.Key, err)
	}
	return &o, nil
}

// Handler does what a message says, in an update of its own: what it writes and
// the note that the message was handled are kept together or not at all. Its
// result, JSON of at most MaxMessageBody bytes or nil, is what Server.Deliver
// returns to the sender.
//
// ErrLater, or an error that wraps it, leaves the message where it is, for the
// next time that somebody looks: a load, another message, a Deliver,
// Profile.HandleMessages. Everything that it wrote is undone. Any other
// error, or a panic, makes it a dead letter: see Server.DeadLetters. It runs while
// the profile is locked, once per try, and like the function of an Update must be
// quick and use the profile through the Tx only.
type Handler func(tx *Tx, m *Message) (result json.RawMessage, err error)

// Preparer gets ready for a Handler what takes I/O: it runs before the update, not
// locked, and what it returns is the message's Prepared. Between the two nothing
// else handles messages of the profile. Its errors count like the handler's.
type Preparer func(ctx context.Context, p *Profile, m *Message) (any, error)

// ErrLater is what a Handler returns for a message that it cannot handle yet.
var ErrLater = errors.New("not now")

// Handle has fn handle the messages of a topic to all profiles of the server's
// schema. It should be called before the first Open: messages of topics without a
// handler stay where they are. A second handler of a topic is refused as
// driver.ErrInvalid. Topics that begin with "~" are Holdfast's own.
func (srv *Server) Handle(topic string, fn Handler) error { return srv.HandlePrepared(topic, nil, fn) }

// HandlePrepared is Handle with a Preparer, which is called before each try.
func (srv *Server) HandlePrepared(topic string, before Preparer, fn Handler) error {
	if err := checkText("topic", topic, MaxTopic); err != nil {
		return fmt.Errorf("handle messages: %w", err)
	}
	srv.mu.Lock()
	defer srv.mu.Unlock()
	at := handlerKey{srv.schema.kind, topic}
	if _, own := ownHandlers(topic); own || fn == nil || srv.handlers[at].handle != nil {
		return fmt.Errorf("handle messages of topic %q: %w: no handler, or a second one", topic, driver.ErrInvalid)
	}
	srv.handlers[at] = handler{before, fn}
	return nil
}

// handler is who handles the messages of a topic.
type handler struct {
	prepare Preparer // or nil
	handle  Handler
}

// handlerKey is whose messages a handler handles.
type handlerKey struct{ kind, topic string }

func (c *common) handler(kind, topic string) handler {
	if c.opts.Tool && topic == topicChange {
		return handler{}
	}
	if h, ok := ownHandlers(topic); ok {
		return h
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.handlers[handlerKey{kind, topic}]
}

// Send sends a message with the update: no crash keeps the one without the other,
// and the message leaves as soon as the update is in the journal. It is never sent
// if the update fails. It returns the message's id. Whether there is such a
// profile is not asked; MaxMessages does not apply. A profile that is errored, or
// a Tx of a trade with other servers, is ErrNoOutbox.
func (tx *Tx) Send(to session.Key, m Message) (id string, err error) {
	return tx.send(to, m, tx.p.key)
}

func (tx *Tx) send(to session.Key, m Message, giver session.Key) (id string, err error) {
	w, ok := tx.w.(*session.Tx)
	if tx.over || !ok {
		return "", tx.noOutbox("send a message")
	}
	fail := func(err error) (string, error) {
		return "", tx.spoil(fmt.Errorf("send a message to %v: %w", to, err))
	}
	if err := to.Check(); err != nil {
		return "", tx.spoil(fmt.Errorf("send a message: %w", err))
	}
	if err := tx.p.srv.prepare(&m); err != nil {
		return fail(err)
	}
	m.Giver = giver
	entry, err := m.write(to)
	if err == nil {
		err = w.Attach(entry)
	}
	if err != nil {
		return fail(err)
	}
	return m.ID, nil
}

// Attach has the update write or delete an entry beside the profile's own: see
// session.Tx.Attach. It is for layers over this package; a game uses Send. A
// refusal fails the whole update.
func (tx *Tx) Attach(w driver.Write) error {
	return tx.attach(w, (*session.Tx).Attach)
}

func (tx *Tx) attach(w driver.Write, how func(*session.Tx, driver.Write) error) error {
	s, ok := tx.w.(*session.Tx)
	if tx.over || !ok {
		return tx.noOutbox("attach an entry")
	}
	if err := how(s, w); err != nil {
		return tx.spoil(err)
	}
	return nil
}

// Because gives the update a reason, which reaches the journal and the history;
// session.MaxReason bytes of it are kept.
func (tx *Tx) Because(reason string) {
	if w, ok := tx.w.(*session.Tx); ok && !tx.over {
		w.Because(reason)
	}
}

// Origin says what sort of act the update is, as one of the constants of package
// session does or a word of lower-case letters: see session.Tx.Origin.
func (tx *Tx) Origin(origin string) {
	if w, ok := tx.w.(*session.Tx); ok && !tx.over {
		w.Origin(origin)
	}
}

// Keep has the version that the next save makes, and the one before it, kept beyond
// the retention's schedule, so that support can look at it and go back to it: see
// session.Tx.Keep.
func (tx *Tx) Keep() {
	if w, ok := tx.w.(*session.Tx); ok && !tx.over {
		w.Keep()
	}
}

// Revision returns the revision that the profile will have after the update, if
// that changes anything: it counts the updates that were ever made of it. An
// errored profile has none.
func (tx *Tx) Revision() uint64 {
	if w, ok := tx.w.(*session.Tx); ok && !tx.over {
		return w.Revision()
	}
	return 0
}

// spoil fails the update.
func (tx *Tx) spoil(err error) error {
	if tx.err == nil {
		tx.err = err
	}
	return err
}

func (tx *Tx) noOutbox(what string) error {
	if tx.over {
		return fmt.Errorf("%s with an update of %v: %w", what, tx.p.key, ErrTxEnded)
	}
	return tx.spoil(fmt.Errorf("%s with an update of %v: %w", what, tx.p.key, ErrNoOutbox))
}

// Revision returns how many updates were ever made of the profile, those of Lazy
// fields aside. An errored profile has none.
func (p *Profile) Revision() uint64 {
	if p.s == nil {
		return 0
	}
	return p.s.Revision()
}

// SendOptions say how a message is sent. Nil is the same as the zero value.
type SendOptions struct {
	// Whoever allows to send to an id under which nothing is kept yet, or where
	// another profile may be kept by the time: whoever comes gets it. Else there
	// must be a profile, and only that one gets it, unless Message.For says another.
	Whoever bool
	// Most is how many messages may wait for the profile, this one included, 1 to
	// MaxMessages. Zero means MaxMessages.
	Most int

	checks []driver.Check // it is sent only as long as these hold
}

func (o *SendOptions) only() []driver.Check {
	if o == nil {
		return nil
	}
	return o.checks
}

func (o *SendOptions) most() (int, error) {
	switch {
	case o == nil || o.Most == 0:
		return MaxMessages, nil
	case o.Most < 0 || o.Most > MaxMessages:
		return 0, fmt.Errorf("%w: %d messages that may wait, 1 to %d allowed", driver.ErrInvalid, o.Most, MaxMessages)
	}
	return o.Most, nil
}

// Send sends a message to the profile of an id, wherever it is, and returns the
// message's id. It blocks until the message is on disk: then it will be handled,
// by whoever has the player, now or with the next load, unless it ends before. To
// send a message of the same id again, whatever came of the first time, changes
// nothing.
//
// It is session.ErrNotFound or session.ErrErased if there is no such profile and
// not Whoever, ErrFull if SendOptions.Most wait for it, and driver.ErrInvalid or
// document.ErrTooLarge if the message breaks a limit. Servers that send at one
// moment may exceed that by as many.
func (srv *Server) Send(ctx context.Context, id string, m Message, o *SendOptions) (string, error) {
	sent, err := srv.put(ctx, id, m, o)
	if err == nil {
		srv.ss.Ring(false, srv.key(id))
	}
	return sent, err
}

// put is Send without telling anybody that there is a message.
func (srv *Server) put(ctx context.Context, id string, m Message, o *SendOptions) (string, error) {
	key := srv.key(id)
	fail := func(err error) (string, error) { return "", fmt.Errorf("send a message to %v: %w", key, err) }
	if err := srv.address(ctx, key, &m, o); err != nil {
		return fail(err)
	}
	w, err := m.write(key)
	if err != nil {
		return fail(err)
	}
	act, err := srv.sending(ctx, key, &m)
	if err != nil {
		return fail(err)
	}
	if err := srv.storeOnce(ctx, o.only(), append(act, w)...); err != nil {
		return fail(err)
	}
	return m.ID, nil
}

// Address checks whether Send would send a message now, with the same errors, and
// returns it with what Send would fill in. It is for who then sends it with an
// update, by Tx.Send, which does no I/O and so cannot ask.
func (srv *Server) Address(ctx context.Context, id string, m Message, o *SendOptions) (Message, error) {
	key := srv.key(id)
	if err := srv.address(ctx, key, &m, o); err != nil {
		return Message{}, fmt.Errorf("message to %v: %w", key, err)
	}
	return m, nil
}

// address checks and completes a message, finds out whom it is for, and whether
// there is room for it.
func (srv *Server) address(ctx context.Context, key session.Key, m *Message, o *SendOptions) error {
	most, err := o.most()
	if err != nil {
		return err
	}
	if err := srv.prepare(m); err != nil {
		return err
	}
	owner, err := srv.ss.Owner(ctx, key)
	whoever := o != nil && o.Whoever
	switch {
	case err != nil:
		return err
	case owner.Erased:
		return session.ErrErased
	case whoever:
	case !owner.Exists:
		return session.ErrNotFound
	case m.For.IsZero():
		m.For = owner.Birth
	}
	return srv.roomFor(ctx, key, m.ID, most)
}

// roomFor reports an error if too many messages wait for a profile, unless one of
// the same id was sent before.
func (c *common) roomFor(ctx context.Context, key session.Key, id string, most int) error {
	page, err := c.ss.DB().List(ctx, driver.Query{Prefix: folder(key, mailFolder), Limit: most, KeysOnly: true})
	if err != nil || len(page.Entries) < most {
		return err
	}
	snap, err := c.ss.DB().Read(ctx, entryKey(key, mailFolder, id), entryKey(key, doneFolder, id))
	switch {
	case err != nil:
		return err
	case snap.Entries[0].Found() || snap.Entries[1].Found():
		return nil
	}
	return fmt.Errorf("%w: %d wait for it", ErrFull, len(page.Entries))
}
