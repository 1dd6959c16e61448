package profile

import "fmt"

// VerifyUnchanged returns an error that matches ErrChanged if a value that was
// read from the profile has been changed in place, which changes nothing that
// is saved and misleads other readers. It compares everything that was decoded
// with what is stored: it is meant for tests. Updates wait for it.
func VerifyUnchanged(p *Profile) error {
	p.lock()
	defer p.mu.Unlock()
	for i, f := range p.schema.fields {
		c, v := f.common(), (*view)(p)
		err := f.verify(&p.slots[i], c.openIn(v))
		c.closeIn(v)
		if err != nil {
			return fmt.Errorf("verify %v: %w", p.key, err)
		}
	}
	return nil
}
