package offload

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/lever-go/lever/internal/offheap"
	"github.com/lever-go/lever/kernels"
	"github.com/lever-go/lever/kernels/npu"
	"github.com/lever-go/lever/tensor"
)

// prepareTime is the time for measuring the CPU or the device when a model is opened.
const prepareTime = 150 * time.Millisecond

// The weights that measurements multiply with: slabs as a stream yields them, in turn, more than caches near a core hold.
const (
	slabCols  = 2048
	slabBytes = 1 << 20
	slabCount = 12
)

// cpuRows are the numbers of rows that the CPU is measured with.
var cpuRows = []int{1, 2, 4, 8, 16, 32, 64, 128}

// slabs are parts of a matrix of random bytes with small scales.
func slabs(d tensor.DType) (parts []tensor.Packed, free func() error, err error) {
	tiles := max(1, slabBytes/tensor.TileBytes(d, slabCols))
	p := tensor.Packed{Type: d, Rows: tiles * tensor.TileRows, Cols: slabCols}
	size := tensor.PackedBytes(d, p.Rows, p.Cols)
	mem, free, err := offheap.Alloc(slabCount * size)
	if err != nil {
		return nil, nil, err
	}
	// Zero blocks take as long as others. All pages are written, so that each has memory of its own.
	for i := 0; i < len(mem); i += 512 {
		mem[i] = 0
	}
	for i := range slabCount {
		p.Data = mem[i*size : (i+1)*size]
		parts = append(parts, p)
	}
	return parts, free, nil
}

// measured returns the rates of what multiplies parts by turns, for each type and number of rows. A share of the time
// is spent on each; where even few products take much longer, more rows are reckoned to take as many times longer as they are more.
func measured(ctx context.Context, types []tensor.DType, rows []int, total time.Duration, multiply func(p tensor.Packed, rows int) error) ([]npu.Rate, error) {
	var rates []npu.Rate
	share := total / time.Duration(len(types)*len(rows))
	for _, d := range types {
		parts, free, err := slabs(d)
		if err != nil {
			return nil, err
		}
		enough := false
		for i, n := range rows {
			if enough {
				last := rates[len(rates)-1]
				rates = append(rates, npu.Rate{Type: last.Type, Rows: n, BytesPerSecond: last.BytesPerSecond * float64(rows[i-1]) / float64(n)})
				continue
			}
			seconds, err := fastest(ctx, parts, share, func(p tensor.Packed) error { return multiply(p, n) })
			if err != nil {
				return nil, errors.Join(fmt.Errorf("%v, %d rows: %w", d, n, err), free())
			}
			rates = append(rates, npu.Rate{Type: d.String(), Rows: n, BytesPerSecond: float64(len(parts[0].Data)) / seconds})
			enough = seconds > share.Seconds()
		}
		if err := free(); err != nil {
			return nil, err
		}
	}
	return rates, nil
}

// fastest returns the lower quartile of the seconds of some calls: what else the machine does only makes them longer.
func fastest(ctx context.Context, parts []tensor.Packed, share time.Duration, f func(tensor.Packed) error) (float64, error) {
	const least = 3
	if err := f(parts[0]); err != nil { // warms up
		return 0, err
	}
	var times []float64
	for end := time.Now().Add(share); len(times) < least || time.Now().Before(end); {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		began := time.Now()
		if err := f(parts[len(times)%len(parts)]); err != nil {
			return 0, err
		}
		times = append(times, time.Since(began).Seconds())
	}
	slices.Sort(times)
	return times[len(times)/4], nil
}

// MeasureCPU measures how fast pool multiplies with weights of some types, in about the given time.
func MeasureCPU(ctx context.Context, pool *kernels.Pool, types []tensor.DType, total time.Duration) (npu.Costs, error) {
	x := make([]float32, cpuRows[len(cpuRows)-1]*slabCols)
	for i := range x {
		x[i] = float32(i%7) - 3
	}
	var in kernels.Input
	var out []float32
	rates, err := measured(ctx, types, cpuRows, total, func(p tensor.Packed, rows int) error {
		if need := rows * p.Rows; len(out) < need {
			out = make([]float32, need)
		}
		in.Reset(x, rows, slabCols)
		kernels.MatMul(pool, out, p.Rows, p, &in)
		return nil
	})
	return npu.Costs{Rates: rates}, err
}

// MeasureDevice measures a device: what a submit takes, and its products by type, of those that it takes, and batch size, in about
// the given time.
func MeasureDevice(ctx context.Context, d npu.Device, types []tensor.DType, total time.Duration) (costs npu.Costs, err error) {
	m := deviceMeter{ctx: ctx, device: d, programs: map[key]npu.Program{}}
	defer func() { err = errors.Join(err, m.close()) }()
	caps := d.Capabilities()
	types = slices.DeleteFunc(slices.Clone(types), func(t tensor.DType) bool { return !caps.Takes(t) })
	if len(types) == 0 {
		return costs, fmt.Errorf("the device takes none of the types: %w", npu.ErrUnsupported)
	}
	batches := caps.Batches
	if len(batches) == 0 {
		batches = npu.DefaultBatches
	}
	largest := batches[len(batches)-1]
	if m.x, err = d.Alloc(4 * largest * slabCols); err != nil {
		return costs, err
	}
	// The smallest matrix takes no time worth mentioning.
	w := tensor.Packed{Type: types[0], Rows: tensor.TileRows, Cols: 256}
	w.Data = make([]byte, tensor.PackedBytes(w.Type, w.Rows, w.Cols))
	costs.Submit, err = fastest(ctx, []tensor.Packed{w}, total/10, func(p tensor.Packed) error { return m.multiply(p, batches[0]) })
	if err != nil {
		return costs, err
	}
	costs.Rates, err = measured(ctx, types, batches, total, m.multiply)
	// What a submit takes is reckoned by itself.
	for i, r := range costs.Rates {
		bytes := float64(m.bytes(r))
		if seconds := bytes/r.BytesPerSecond - costs.Submit; seconds > 0.1*bytes/r.BytesPerSecond {
			costs.Rates[i].BytesPerSecond = bytes / seconds
		}
	}
	return costs, err
}

// deviceMeter runs products on a device, one at a time.
type deviceMeter struct {
	ctx      context.Context
	device   npu.Device
	programs map[key]npu.Program
	x, y     npu.Buffer
}

// bytes returns the size of the slabs behind a rate.
func (m *deviceMeter) bytes(r npu.Rate) int {
	d, _ := tensor.ParseDType(r.Type) // it came from a type
	size := tensor.TileBytes(d, slabCols)
	return max(1, slabBytes/size) * size
}

func (m *deviceMeter) multiply(p tensor.Packed, batch int) (err error) {
	k := key{npu.Product{Type: p.Type, Rows: p.Rows, Cols: p.Cols}, batch}
	program := m.programs[k]
	if program == nil {
		if program, err = m.device.Compile(k.Product, batch); err != nil {
			return err
		}
		m.programs[k] = program
	}
	if size := 4 * batch * p.Rows; m.y == nil || len(m.y.Bytes()) < size {
		if m.y != nil {
			if err := m.y.Free(); err != nil {
				return err
			}
		}
		if m.y, err = m.device.Alloc(size); err != nil {
			return err
		}
	}
	e, err := program.Submit(m.ctx, batch, npu.Operands{W: p, X: m.x, Y: m.y})
	if err != nil {
		return err
	}
	return e.Wait(context.WithoutCancel(m.ctx))
}

func (m *deviceMeter) close() error {
	var errs []error
	for _, p := range m.programs {
		errs = append(errs, p.Close())
	}
	for _, b := range []npu.Buffer{m.x, m.y} {
		if b != nil {
			errs = append(errs, b.Free())
		}
	}
	return errors.Join(errs...)
}
