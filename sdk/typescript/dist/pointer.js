/**
 * Returns the segments of a JSON Pointer (RFC 6901), none for the whole document, or
 * undefined if it is not one.
 * @internal
 */
export function segmentsOf(pointer) {
    if (pointer === "") {
        return [];
    }
    if (!pointer.startsWith("/") || /~(?![01])/.test(pointer)) {
        return undefined;
    }
    // "~01" is "~1": the order matters.
    return pointer.slice(1).split("/").map((s) => s.replaceAll("~1", "/").replaceAll("~0", "~"));
}
