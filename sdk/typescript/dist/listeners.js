/**
 * Functions that are told of something, in the order in which they were registered. One
 * that throws keeps none of the others from being told: its error goes where those of event
 * handlers go, uncaught. Once a function is taken out, it is not called any more.
 * @internal
 */
export class Listeners {
    #all = new Set();
    #queue = [];
    #telling = false;
    /** Registers a function, and returns what takes it out again. */
    add(topic, tell, field) {
        if (typeof tell !== "function") {
            throw new TypeError(`what is to be told of ${topic} is not a function`);
        }
        const listener = { topic, field, tell };
        this.#all.add(listener);
        return () => void this.#all.delete(listener);
    }
    /** Takes all functions out. */
    clear() {
        this.#all.clear();
    }
    /**
     * Tells those for whom `what` returns arguments. If one of them makes something else
     * happen meanwhile, that is told after this, so that each hears things in their order.
     */
    tell(what) {
        for (const listener of this.#all) {
            const args = what(listener);
            if (args !== undefined) {
                this.#queue.push(() => this.#call(listener, args));
            }
        }
        if (this.#telling) {
            return;
        }
        this.#telling = true;
        for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
            next();
        }
        this.#telling = false;
    }
    #call(listener, args) {
        if (!this.#all.has(listener)) {
            return;
        }
        try {
            listener.tell(...args);
        }
        catch (error) {
            queueMicrotask(() => {
                throw error;
            });
        }
    }
}
