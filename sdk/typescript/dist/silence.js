// A timer that is later than this was held up: by a background tab, or a computer asleep.
const lateBy = 1_000;
// What has come meanwhile is heard within this time of waking up.
const grace = 1_000;
/**
 * Finds out that nothing was heard for too long. Times are in milliseconds.
 *
 * Who is held up himself hears nothing either, and when he wakes his timers may be run
 * before the messages that lie ready. So a timer that comes late proves nothing: what has
 * come by then gets a moment to be heard, once.
 * @internal
 */
export class Silence {
    #tell;
    #within = 0;
    #due = 0;
    #excused = false;
    #timer;
    constructor(tell) {
        this.#tell = tell;
    }
    /** Begins to wait, for so long from now on and after each time that something is heard. */
    allow(within) {
        this.#within = within;
        this.heard();
        this.#wait(within);
    }
    /** Says that something was heard. It costs no timer. */
    heard() {
        this.#due = performance.now() + this.#within;
        this.#excused = false;
    }
    /** Ends it. */
    stop() {
        clearTimeout(this.#timer);
    }
    #wait(ms) {
        clearTimeout(this.#timer);
        this.#timer = setTimeout(() => this.#check(), ms);
    }
    #check() {
        const late = performance.now() - this.#due;
        if (late < 0) {
            this.#wait(-late);
        }
        else if (late > lateBy && !this.#excused) {
            this.#excused = true;
            this.#wait(grace);
        }
        else {
            this.#tell();
        }
    }
}
