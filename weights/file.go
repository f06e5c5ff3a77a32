package weights

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/lever-go/lever/internal/crc32c"
	"github.com/lever-go/lever/internal/regular"
)

// File is a chunk as readers see it. The default is an [os.File], and for a [Streamer] what [OpenDirect] opens; a wrapper can slow reads
// down or make them fail. ReadAt is called from several goroutines at once. A Streamer reads whole pages of 4096 bytes into memory that
// begins at such a page.
//
// A File may have the method Mode() IOMode, which says how it reads; without it a File counts as buffered.
type File interface {
	io.ReaderAt
	io.Closer
}

// IOMode is the way in which files are read.
type IOMode string

const (
	Direct   IOMode = "direct"   // from the device into the reader's memory, past the page cache
	Buffered IOMode = "buffered" // through the page cache
)

// modeOf returns how f reads.
func modeOf(f File) IOMode {
	if m, ok := f.(interface{ Mode() IOMode }); ok {
		return m.Mode()
	}
	return Buffered
}

func openFile(path string) (File, error) { return openRegular(path) }

// openRegular opens a file of a store; a folder, pipe or device is none.
func openRegular(path string) (*os.File, error) {
	f, err := regular.Open(path)
	return f, irregular(err)
}

// irregular gives the refusal of what is no file, or too large, the sentinel of this package for it.
func irregular(err error) error {
	if errors.Is(err, regular.ErrNoFile) || errors.Is(err, regular.ErrTooLarge) {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return err
}

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
	return checkCRC(buf, crc)
}

func checkCRC(data []byte, crc uint32) error {
	if sum := crc32c.Checksum(data); sum != crc {
		return wrongSum(sum, crc)
	}
	return nil
}

func wrongSum(sum, crc uint32) error { return corrupt("crc-32c is %08x, not %08x", sum, crc) }
