/** A value of JSON, as this package hands it out: never to be changed. */
export type Value = null | boolean | number | string | readonly Value[] | {
    readonly [name: string]: Value;
};
/** T with all that is in it read-only. */
export type Immutable<T> = Value extends T ? T : T extends (...args: never[]) => unknown ? T : T extends object ? {
    readonly [K in keyof T]: Immutable<T[K]>;
} : T;
