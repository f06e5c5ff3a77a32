package opencl

import "github.com/lever-go/lever/kernels/npu"

// group is the number of work-items of a group in steps.cl.
const group = 64

// step queues the kernels of a step.
func (l *launch) step(s *npu.Step) error {
	if s.Op == npu.MatMul {
		return l.multiply(s)
	}
	d, cols := l.d, l.graph.Operands[s.Out].Cols
	args := arguments{}
	args.floats(l.operand(s.Out), 0)
	switch s.Op {
	case npu.RMSNorm:
		width := l.graph.Operands[s.Args[1]].Cols
		args.floats(l.operand(s.Args[0]), 0).floats(l.operand(s.Args[1]), 0).int(width).float(s.Eps)
		return d.run("rms_norm", &args, l.rows*cols/width*group, 1, group)
	case npu.RoPE:
		args.floats(l.operand(s.Args[0]), 0).floats(l.operand(s.Args[1]), 0).floats(l.operand(s.Args[2]), 0)
		args.int(s.Heads).int(cols / s.Heads).int(l.rows * cols / 2)
		return d.run("rope", &args, l.rows*cols/2, 1, group)
	case npu.Attention:
		return l.attend(s, &args)
	}
	args.floats(l.operand(s.Args[0]), 0).floats(l.operand(s.Args[1]), 0).int(l.rows * cols)
	return d.run(map[npu.Op]string{npu.SiLUMul: "silu_mul", npu.Add: "add"}[s.Op], &args, l.rows*cols, 1, group)
}

func (l *launch) attend(s *npu.Step, args *arguments) error {
	q, cache := &l.graph.Operands[s.Args[0]], &l.graph.Operands[s.Args[1]]
	args.floats(l.operand(s.Args[0]), 0).halves(l.operand(s.Args[1])).halves(l.operand(s.Args[2]))
	for _, a := range s.Args[3:] {
		args.floats(l.operand(a), 0)
	}
	args.object(l.scores).int(s.Heads).int(s.KVHeads).int(q.Cols / s.Heads).int(cache.Rows).int(l.rows).int(l.batch).float(s.Scale)
	return l.d.run("attention", args, s.Heads*group, l.rows, group)
}
