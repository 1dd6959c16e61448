package rollback

// SetPage sets how many players are a page, and returns a function that undoes that.
func SetPage(n int) (back func()) {
	was := pageSize
	pageSize = n
	return func() { pageSize = was }
}
