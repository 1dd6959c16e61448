import { FrameError } from "./errors.js";
// A server's values are at most 1,000 deep.
const maxDepth = 1_100;
/**
 * Returns a value of JSON as it is kept and handed out: frozen, so that nobody can change
 * what others see, and its objects without a prototype, so that a name such as
 * `constructor` or `__proto__` is what the server has sent under it, or nothing. What a
 * `parse` of the game has made beyond plain objects and arrays stays as it is.
 * @internal
 */
export function settle(value, depth = 0) {
    if (typeof value !== "object" || value === null) {
        return value;
    }
    if (depth > maxDepth) {
        throw new FrameError(`a value is more than ${maxDepth} deep`);
    }
    if (Array.isArray(value)) {
        const list = [];
        for (const element of value) {
            list.push(settle(element, depth + 1));
        }
        return Object.freeze(list);
    }
    if (!isPlain(value)) {
        return value;
    }
    const copy = bare();
    for (const name of Object.keys(value)) {
        copy[name] = settle(value[name], depth + 1);
    }
    return Object.freeze(copy);
}
/** An object without a prototype: `__proto__` is a name like any other there. @internal */
export function bare() {
    return Object.create(null);
}
/** Reports whether a value is an object of JSON. @internal */
export function isPlain(value) {
    if (typeof value !== "object" || value === null) {
        return false;
    }
    const prototype = Object.getPrototypeOf(value);
    return prototype === null || prototype === Object.prototype;
}
/** Reports whether two settled values are the same, the order of members aside. @internal */
export function same(a, b) {
    if (a === b) {
        return true;
    }
    if (Array.isArray(a) && Array.isArray(b)) {
        return a.length === b.length && a.every((element, i) => same(element, b[i]));
    }
    if (!isPlain(a) || !isPlain(b)) {
        return false;
    }
    const names = Object.keys(a);
    return names.length === Object.keys(b).length && names.every((name) => name in b && same(a[name], b[name]));
}
