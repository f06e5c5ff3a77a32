package weights

import (
	"errors"
	"hash/crc32"
	"io"
	"os"
)

// File is a chunk as readers see it. The default is an [os.File]; a wrapper can slow reads down or make them fail. ReadAt is called
// from several goroutines at once.
type File interface {
	io.ReaderAt
	io.Closer
}

func openFile(path string) (File, error) { return os.Open(path) }

// readFull fills buf from offset on. A file that ends earlier is truncated.
func readFull(f File, buf []byte, offset int64) error {
	for n := 0; n < len(buf); {
		m, err := f.ReadAt(buf[n:], offset+int64(n))
		n += m
		switch {
		case n == len(buf):
			return nil
		case errors.Is(err, io.EOF), err == nil && m == 0:
			return ErrTruncated
		case err != nil:
			return err
		}
	}
	return nil
}

// readChecked fills buf from offset on and checks it against its CRC-32C.
func readChecked(f File, buf []byte, offset int64, crc uint32) error {
	if err := readFull(f, buf, offset); err != nil {
		return err
	}
	if sum := crc32.Checksum(buf, castagnoli); sum != crc {
		return corrupt("crc-32c is %08x, not %08x", sum, crc)
	}
	return nil
}
