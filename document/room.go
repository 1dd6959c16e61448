package document

// Count returns the number of fields and elements, as Limits.Fields bounds it. It
// takes the same short time whatever the number.
func (d *Document) Count() int { return d.count }

// Limits returns the limits of the document, with the defaults filled in.
func (d *Document) Limits() Limits { return d.limits.resolved() }
