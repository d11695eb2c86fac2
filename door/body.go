package door

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
)

// ErrTooLarge is returned by a body that is larger than allowed, once unpacked.
var ErrTooLarge = errors.New("body is too large")

// ErrEncoding is returned for a Content-Encoding we do not know.
var ErrEncoding = errors.New("unknown content encoding")

// Unpack reads a body as its Content-Encoding says: nothing, gzip or zstd. It gives
// ErrTooLarge after limit bytes, whatever was promised before: a bomb costs limit
// bytes and a window of at most 8 MiB.
func Unpack(body io.Reader, encoding string, limit int64) (io.ReadCloser, error) {
	switch encoding {
	case "", "identity":
		return bounded{body, &limit, func() {}}, nil
	case "gzip", "x-gzip":
		z, err := gzip.NewReader(body)
		if err != nil {
			return nil, fmt.Errorf("unpack gzip: %w", err)
		}
		return bounded{z, &limit, func() {}}, nil
	case "zstd":
		z, err := zstd.NewReader(body, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(8<<20), zstd.WithDecoderMaxMemory(uint64(limit)+8<<20))
		if err != nil {
			return nil, fmt.Errorf("unpack zstd: %w", err)
		}
		return bounded{z, &limit, z.Close}, nil
	}
	return nil, fmt.Errorf("%w: %q; gzip and zstd are known", ErrEncoding, encoding)
}

type bounded struct {
	r     io.Reader
	left  *int64
	close func()
}

func (b bounded) Read(p []byte) (int, error) {
	if int64(len(p)) > *b.left+1 {
		p = p[:*b.left+1]
	}
	n, err := b.r.Read(p)
	if *b.left -= int64(n); *b.left < 0 {
		return 0, ErrTooLarge
	}
	return n, err
}

func (b bounded) Close() error { b.close(); return nil }
