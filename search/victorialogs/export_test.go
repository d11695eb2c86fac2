package victorialogs

// Socket is where the child listens.
func (c *Child) Socket() string { return c.socket }
