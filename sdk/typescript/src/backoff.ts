// A connection that has stood for so long makes the first pause hold again.
const stoodFor = 5_000;

/** The pauses between connections, in milliseconds. @internal */
export class Backoff {
  readonly #first: number;
  readonly #longest: number;
  #pause: number;

  /** Throws a RangeError unless 1 <= first <= longest <= a day. */
  constructor(first = 250, longest = 15_000) {
    if (!(first >= 1 && longest >= first && longest <= 86_400_000)) {
      throw new RangeError(`pauses from ${first} to ${longest} ms`);
    }
    this.#first = first;
    this.#longest = longest;
    this.#pause = first;
  }

  /** Returns the pause after a connection that has stood for so long: by chance, so that those who were cut off together do not come again together. */
  after(stood: number): number {
    if (stood >= stoodFor) {
      this.#pause = this.#first;
    }
    const pause = this.#pause;
    this.#pause = Math.min(2 * pause, this.#longest);
    return pause / 2 + (Math.random() * pause) / 2;
  }
}
