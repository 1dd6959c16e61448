import { FrameError } from "./errors.js";
import { bare, isPlain } from "./value.js";
/**
 * Applies the operations of a change and returns the fields that they have touched, with
 * what those are then: undefined if they are gone. The fields that are given stay as they
 * are, and objects that change are copied, so that a change is applied as a whole or, with
 * a FrameError, not at all.
 * @internal
 */
export function patch(fields, ops) {
    const touched = new Map();
    const copies = new Map(); // of this change, not frozen yet
    for (const op of ops) {
        if (op.element !== undefined) {
            let copy = copies.get(op.field);
            if (copy === undefined) {
                copy = copyOf(touched.has(op.field) ? touched.get(op.field) : fields.get(op.field), op.field);
                copies.set(op.field, copy);
                touched.set(op.field, copy);
            }
            patchElement(copy, op, op.element);
            continue;
        }
        const there = touched.has(op.field) ? touched.get(op.field) !== undefined : fields.has(op.field);
        if (op.op === "remove" && !there) {
            throw new FrameError(`there is no field ${JSON.stringify(op.field)} to remove`);
        }
        touched.set(op.field, op.op === "add" ? op.value : undefined);
        copies.delete(op.field);
    }
    for (const copy of copies.values()) {
        Object.freeze(copy);
    }
    return touched;
}
function copyOf(value, field) {
    if (!isPlain(value)) {
        throw new FrameError(`the field ${JSON.stringify(field)} has no elements`);
    }
    return Object.assign(bare(), value);
}
function patchElement(object, op, element) {
    if (op.op === "add") {
        object[element] = op.value;
        return;
    }
    if (!(element in object)) {
        throw new FrameError(`there is no element ${JSON.stringify(element)} of ${JSON.stringify(op.field)} to remove`);
    }
    delete object[element];
}
