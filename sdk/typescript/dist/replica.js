import { endFor, FrameError, GapError } from "./errors.js";
import { decode, frameOptions } from "./frame.js";
import { Listeners } from "./listeners.js";
import { patch } from "./patch.js";
import { same } from "./value.js";
/**
 * A copy of a player's public fields, for games that carry frames over a connection of
 * their own. It is what a Client keeps up to date by itself.
 */
export class Replica {
    #options;
    #listeners;
    #fields;
    #position;
    #placed = false; // the server has said where this connection begins
    #loadError;
    #saveError;
    constructor(options = {}, listeners = new Listeners()) {
        this.#options = frameOptions(options);
        this.#listeners = listeners;
    }
    get hasLoaded() {
        return this.#fields !== undefined;
    }
    get loadError() {
        return this.#loadError;
    }
    get saveError() {
        return this.#saveError;
    }
    get(field) {
        return this.#fields?.get(field);
    }
    fields() {
        return new Map(this.#fields);
    }
    updated(field, tell) {
        return this.#listeners.add("updated", tell, field);
    }
    loaded(tell) {
        return this.#listeners.add("loaded", tell);
    }
    saved(tell) {
        return this.#listeners.add("saved", tell);
    }
    /**
     * Begins with a new connection: returns the position to tell the server, undefined if
     * there is none. What comes next has to be a state, or that the server goes on from there.
     */
    resume() {
        this.#placed = false;
        return this.#position;
    }
    /**
     * Applies a frame, as text. One that came twice, or of a type that is not known, changes
     * nothing. It throws, and has applied nothing: a GapError if the client has to come again
     * with its position; a FrameError if it has to come again and has no position any more;
     * an EndedError if the frame says that nothing follows.
     */
    apply(text) {
        const frame = this.decode(text);
        if (frame !== undefined) {
            this.accept(frame);
        }
    }
    /** @internal */
    decode(text) {
        return this.#orForget(() => decode(text, this.#options));
    }
    /** @internal */
    accept(frame) {
        switch (frame.type) {
            case "state":
                return this.#begin(frame);
            case "resumed":
                return this.#orForget(() => this.#goOn(frame.rev));
            case "change":
            case "saved":
                return this.#orForget(() => this.#follow(frame));
            case "end":
                throw endFor(frame.reason);
            case "ping":
        }
    }
    /** Runs fn. After a FrameError there is no position any more: the server has to send the state. */
    #orForget(fn) {
        try {
            return fn();
        }
        catch (error) {
            if (error instanceof FrameError) {
                this.#position = undefined;
            }
            throw error;
        }
    }
    #begin(state) {
        const before = this.#fields;
        const { epoch, rev, fields } = state;
        const changed = new Set(before === undefined ? [] : [...before.keys()].filter((name) => !fields.has(name)));
        for (const [name, value] of before === undefined ? [] : fields) {
            const old = before?.get(name);
            if (old !== undefined && same(old, value)) {
                fields.set(name, old); // whoever compares by identity sees no change
            }
            else {
                changed.add(name);
            }
        }
        this.#fields = fields;
        this.#position = { epoch, rev };
        this.#placed = true;
        this.#loadError = state.loadError;
        this.#saveError = state.saveError;
        this.#listeners.tell((l) => {
            if (l.topic === "loaded" && before === undefined) {
                return [];
            }
            return this.#update(l, changed, fields);
        });
    }
    #goOn(rev) {
        const at = this.#position;
        if (at === undefined || (this.#placed ? rev > at.rev : rev !== at.rev)) {
            throw new FrameError(`the server goes on from revision ${rev}, and the state is at ${at?.rev ?? "none"}`);
        }
        this.#placed = true;
    }
    #follow(frame) {
        const fields = this.#fields;
        const at = this.#position;
        if (fields === undefined || at === undefined || !this.#placed) {
            throw new GapError(`revision ${frame.rev} came before a state`);
        }
        if (frame.rev <= at.rev) {
            return; // it came twice
        }
        if (frame.rev !== at.rev + 1) {
            throw new GapError(`revision ${frame.rev} came, and the state is at ${at.rev}`);
        }
        if (frame.type === "saved") {
            this.#position = { epoch: at.epoch, rev: frame.rev };
            this.#saveError = frame.error;
            this.#listeners.tell((l) => (l.topic === "saved" ? [frame.error] : undefined));
            return;
        }
        const touched = patch(fields, frame.ops);
        this.#position = { epoch: at.epoch, rev: frame.rev };
        this.#put(fields, touched);
    }
    /** Gives fields what a change has made of them, and tells of it. */
    #put(fields, touched) {
        const changed = new Set();
        for (const [name, value] of touched) {
            if (same(fields.get(name), value)) {
                continue;
            }
            changed.add(name);
            if (value === undefined) {
                fields.delete(name);
            }
            else {
                fields.set(name, value);
            }
        }
        this.#listeners.tell((l) => this.#update(l, changed, touched));
    }
    #update({ topic, field }, changed, values) {
        return topic === "updated" && field !== undefined && changed.has(field) ? [values.get(field)] : undefined;
    }
}
