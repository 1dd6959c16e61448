package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/holdfast-games/holdfast/internal/console"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/receipt"
	"github.com/holdfast-games/holdfast/session"
)

// receiptsCmd shows the records of purchases, and does an operator's acts on them.
type receiptsCmd struct {
	List    receiptsListCmd    `cmd:"" default:"withargs" help:"List a player's purchases, or show one."`
	Release receiptsReleaseCmd `cmd:"" help:"Free a claim that was not granted, so that the purchase may be claimed anew."`
	Refund  receiptsRefundCmd  `cmd:"" help:"Take a purchase back."`
}

// receiptsListCmd lists purchases.
type receiptsListCmd struct {
	Which string `arg:"" help:"A player, as kind/id (player/42), or the id of a purchase (webshop:10442)."`
	ID    bool   `name:"id" help:"It is the id of a purchase, though it looks like a player."`
	jsonFlag
	timeoutFlag
}

// Help is shown below the command's summary.
func (*receiptsListCmd) Help() string {
	return "A purchase that is claimed is its player's and waits to be granted: for his next load, for room in his bag, for a server that knows the product. " +
		"What a server has granted in its last milliseconds may still be shown as claimed."
}

// receiptJSON is what receipts writes of a purchase with --json.
type receiptJSON struct {
	ID       string         `json:"id"`
	Claim    int            `json:"claim,omitzero"`
	State    receipt.State  `json:"state,omitzero"`
	Key      string         `json:"key,omitzero"` // of the player; none: nobody's
	Product  string         `json:"product,omitzero"`
	Quantity int64          `json:"quantity,omitzero"`
	Payer    string         `json:"payer,omitzero"`
	Slot     string         `json:"slot,omitzero"` // the save slot that it is for
	Bought   *time.Time     `json:"bought,omitzero"`
	Sandbox  bool           `json:"sandbox,omitzero"`
	Claimed  *stepJSON      `json:"claimed,omitzero"`
	Granted  *stepJSON      `json:"granted,omitzero"`
	Refunded *stepJSON      `json:"refunded,omitzero"`
	Released *stepJSON      `json:"released,omitzero"`
	Details  jsontext.Value `json:"details,omitzero"`
	Error    string         `json:"error,omitzero"`
}

// stepJSON is one step of a purchase.
type stepJSON struct {
	At       time.Time `json:"at"`
	By       string    `json:"by,omitzero"`
	Reason   string    `json:"reason,omitzero"`
	Revision uint64    `json:"revision,omitzero"`
	Into     string    `json:"into,omitzero"`
}

func jsonStep(a receipt.Act) *stepJSON {
	if a.At.IsZero() {
		return nil
	}
	return &stepJSON{a.At.UTC(), a.By, a.Reason, a.Revision, a.Into}
}

func jsonReceipt(r *receipt.Receipt, err error) receiptJSON {
	j := receiptJSON{
		ID: r.ID, Claim: r.Claim, State: r.State, Product: r.Product, Quantity: r.Quantity, Payer: r.Payer, Slot: r.Slot,
		Bought: jsonTime(r.At), Sandbox: r.Sandbox, Details: jsontext.Value(r.Details), Error: errText(err),
		Claimed: jsonStep(r.Claimed), Granted: jsonStep(r.Granted), Refunded: jsonStep(r.Refunded), Released: jsonStep(r.Released),
	}
	if r.Key != (session.Key{}) {
		j.Key = r.Key.String()
	}
	return j
}

// Run runs the command.
func (c *receiptsListCmd) Run(ctx context.Context, e *env) error {
	db, err := e.openDatabase(ctx, reading, c.timeoutFlag)
	if err != nil {
		return err
	}
	defer db.close()
	rd := receipt.NewReader(db.DB)
	key, err := session.ParseKey(c.Which)
	if err != nil || c.ID {
		r, err := rd.Receipt(db.ctx, c.Which)
		if err != nil {
			return db.why(err)
		}
		return c.write(e, []receipt.Receipt{r}, []error{nil})
	}
	var all []receipt.Receipt
	var bad []error
	for r, err := range rd.Receipts(db.ctx, key) {
		if err != nil && r.ID == "" {
			return db.why(err)
		}
		all, bad = append(all, r), append(bad, err)
	}
	return c.write(e, all, bad)
}

// write writes records, each with the error of reading it.
func (c *receiptsListCmd) write(e *env, all []receipt.Receipt, bad []error) error {
	var rows [][]string
	for i := range all {
		if !c.JSON {
			rows = append(rows, receiptRow(&all[i], bad[i]))
		} else if err := writeJSON(e.out, jsonReceipt(&all[i], bad[i])); err != nil {
			return err
		}
	}
	if !c.JSON {
		header := []string{"ID", "PRODUCT", "QUANTITY", "PLAYER", "STATE", "SINCE", "REVISION", "NOTE"}
		if err := console.Table(e.out, header, rows); err != nil {
			return err
		}
	}
	if errors.Join(bad...) != nil {
		return errSome
	}
	return nil
}

func receiptRow(r *receipt.Receipt, err error) []string {
	if err != nil {
		return []string{r.ID, "", "", "", "!", "", "", firstLine(err)}
	}
	last := map[receipt.State]receipt.Act{
		receipt.Claimed: r.Claimed, receipt.Granted: r.Granted, receipt.Refunded: r.Refunded, receipt.Released: r.Released,
	}[r.State]
	who, revision, since := "", "", ""
	if r.Key != (session.Key{}) {
		who = r.Key.String()
	}
	if last.Revision > 0 {
		revision = strconv.FormatUint(last.Revision, 10)
	}
	if !last.At.IsZero() {
		since = console.Time(last.At)
	}
	return []string{r.ID, r.Product, strconv.FormatInt(r.Quantity, 10), who, string(r.State), since, revision, receiptNote(r, last)}
}

// receiptNote says what else there is to say of a purchase.
func receiptNote(r *receipt.Receipt, last receipt.Act) string {
	switch {
	case last.Reason != "":
		return last.Reason
	case r.State == receipt.Refunded && r.Granted.At.IsZero():
		return "never granted"
	case last.Into != "":
		return "into " + last.Into
	case r.Sandbox:
		return "sandbox"
	}
	return ""
}

// receiptActFlags are part of every command that changes the record of a purchase.
type receiptActFlags struct {
	ID string `arg:"" help:"The id of the purchase: webshop:10442."`
	actFlags
	Wait time.Duration `default:"10s" placeholder:"TIME" help:"How long to wait for a server that holds the player (default 10s)."`
	jsonFlag
	limitFlags
	timeoutFlag
}

// receiptsReleaseCmd frees a claim.
type receiptsReleaseCmd struct{ receiptActFlags }

// Help is shown below the command's summary.
func (*receiptsReleaseCmd) Help() string {
	return "For a purchase that names the wrong player, or that nobody will ever handle. It is refused if the purchase was granted, and the store may tell of it again afterwards, " +
		"for anybody. The server that holds the player does it; if nobody holds him, this command does."
}

// Run runs the command.
func (c *receiptsReleaseCmd) Run(ctx context.Context, e *env) error {
	return c.run(ctx, e, "release", func(ctx context.Context, b *receipt.Book, _ *receipt.Receipt) (receipt.Receipt, error) {
		return b.Release(ctx, c.ID, c.Reason)
	})
}

// receiptsRefundCmd takes a purchase back.
type receiptsRefundCmd struct{ receiptActFlags }

// Help is shown below the command's summary.
func (*receiptsRefundCmd) Help() string {
	return "A purchase that was not granted never will be. What was granted is taken back by the game's own function, which only a game server has: " +
		"the one that holds the player, or the next one to load him. No money is moved by this."
}

// Run runs the command.
func (c *receiptsRefundCmd) Run(ctx context.Context, e *env) error {
	return c.run(ctx, e, "refund", func(ctx context.Context, b *receipt.Book, r *receipt.Receipt) (receipt.Receipt, error) {
		return b.Refund(ctx, r.Purchase, c.Reason)
	})
}

// receiptActJSON is what became of an act, as it is written with --json.
type receiptActJSON struct {
	Done    bool        `json:"done"`
	Waits   string      `json:"waits,omitzero"` // what it still waits for, if it is not done
	Receipt receiptJSON `json:"receipt"`
}

// receiptAct is an act on a purchase, whose record is as it was before.
type receiptAct func(context.Context, *receipt.Book, *receipt.Receipt) (receipt.Receipt, error)

// run does an act on a purchase that is known, by a server of its player's kind
// that knows no product.
func (c *receiptActFlags) run(ctx context.Context, e *env, command string, act receiptAct) error {
	if c.Wait <= 0 {
		return usageError{fmt.Errorf("--wait %v: give a time above zero", c.Wait)}
	}
	if err := c.checkAct(); err != nil {
		return err
	}
	db, err := e.openDatabase(ctx, editing, c.timeoutFlag)
	if err != nil {
		return err
	}
	done, err := c.do(ctx, e, db, command, act)
	if done != nil {
		err = errors.Join(c.report(e, command, done), err)
	}
	return errors.Join(err, db.close())
}

func (c *receiptActFlags) do(ctx context.Context, e *env, db *database, command string, act receiptAct) (done *receiptActJSON, err error) {
	before, err := receipt.NewReader(db.DB).Receipt(db.ctx, c.ID)
	if err != nil {
		return nil, db.why(err)
	}
	srv, book, err := c.serve(e, db, command, cmp.Or(before.Key.Kind, "player"))
	if err != nil {
		return nil, db.why(err)
	}
	defer func() { err = errors.Join(err, db.retireProfiles(srv)) }()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(db.ctx, func() { cancel(context.Cause(db.ctx)) })()
	after, err := act(ctx, book.As(c.By), &before)
	var not *receipt.NotProcessedError
	switch {
	case err == nil:
		return &receiptActJSON{Done: true, Receipt: jsonReceipt(&after, nil)}, nil
	case errors.As(err, &not) && not.Recorded:
		return &receiptActJSON{Waits: firstLine(not.Reason), Receipt: jsonReceipt(&before, nil)}, nil
	}
	return nil, db.why(err)
}

// serve takes a lease for profiles of a kind, of which the command knows no field,
// and keeps them as they are.
func (c *receiptActFlags) serve(e *env, db *database, command, kind string) (*profile.Server, *receipt.Book, error) {
	o := session.Options{
		Name: serverName("receipts " + command), Lease: lease, Feed: session.FeedIfKept, Limits: c.limits(), Logger: e.log,
	}
	srv, err := profile.Open(db.ctx, db.DB, profile.NewSchema(kind), &profile.Options{Session: o, Autosave: -1, OnLoadError: profile.RefusePlayer, Tool: true})
	if err != nil {
		return nil, nil, err
	}
	book, err := receipt.New(srv, nil, &receipt.Options{Wait: c.Wait, Logger: e.log})
	if err != nil {
		return nil, nil, errors.Join(err, db.retireProfiles(srv))
	}
	return srv, book, nil
}

// retireProfiles closes a command's server of profiles. Whatever it held is released.
func (db *database) retireProfiles(srv *profile.Server) error {
	ctx, cancel := context.WithTimeout(db.ctx, db.patience)
	defer cancel()
	results, err := srv.Close(ctx)
	for _, r := range results {
		if r.Err != nil {
			err = errors.Join(err, fmt.Errorf("release %v: %w", r.Key, r.Err))
		}
	}
	return db.why(err)
}

// report says what was done.
func (c *receiptActFlags) report(e *env, command string, done *receiptActJSON) error {
	if c.JSON {
		return writeJSON(e.out, done)
	}
	r := &done.Receipt
	if done.Done {
		_, err := fmt.Fprintf(e.out, "%s is %s.\n", console.Clean(r.ID), r.State)
		return err
	}
	_, err := fmt.Fprintf(e.out, "The %s of %s is on disk and not done yet: %s.\nThe server that holds %s does it, or the next one that loads the player. Look with holdfast receipts %s\n",
		command, console.Clean(r.ID), console.Clean(done.Waits), r.Key, quoted(r.ID))
	return err
}
