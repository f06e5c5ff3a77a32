package spec

import "context"

// score takes in a prompt but its last token, and calls tell, unless it is nil, with each token but the first and the logits in its place.
func (g *Generator) score(ctx context.Context, prompt []int32, tell func(token int32, logits []float32), report func()) error {
	if tell == nil {
		return nil
	}
	vocab := g.target.Vocab()
	most := min(g.options.MaxBatch, g.options.Budget+1) // so many rows can be projected
	var rows []int
	for g.target.Len() < len(prompt)-1 {
		first := g.target.Len()
		tokens := prompt[first:min(first+most, len(prompt)-1)]
		if _, err := g.target.Forward(ctx, Batch{Tokens: tokens}); err != nil {
			return err
		}
		rows = rows[:0]
		for row := range tokens {
			rows = append(rows, row)
		}
		for at := 0; at < len(rows); {
			some := rows[at:min(at+len(g.logits)/vocab, len(rows))]
			if err := g.target.Project(ctx, g.logits[:len(some)*vocab], some); err != nil {
				return err
			}
			for i := range some {
				tell(prompt[first+at+i+1], g.logits[i*vocab:(i+1)*vocab])
			}
			at += len(some)
		}
		if err := g.target.Commit(rows); err != nil {
			return err
		}
		report()
	}
	return nil
}
