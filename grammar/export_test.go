package grammar

// SetLimit bounds the steps of each question to a matcher.
func (m *Matcher) SetLimit(steps int) { m.work.limit = steps }

// Steps returns those that the latest question took.
func (m *Matcher) Steps() int { return m.work.steps }
