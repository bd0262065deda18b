package geofetch

import (
	"archive/tar"
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"path"
	"path/filepath"
	"strings"
)

// maxEntries is how many files a provider's archive may have.
const maxEntries = 100

// unpack writes what a gzip stream holds: of a tar archive the regular file
// called packed, in whatever folder, or all of it where packed is empty. It
// reads to the end, so that the stream's own sums are checked, and unpacks no
// more than limit octets. No name of the archive is ever used as one of ours.
func unpack(to io.Writer, from *bufio.Reader, packed string, limit int64) error {
	head, _ := from.Peek(60)
	z, err := gzip.NewReader(from)
	if err != nil {
		return fmt.Errorf("it is no gzip stream (%w); it begins with %q", err, head)
	}
	all := &bounded{from: z, left: limit, limit: limit}
	if packed == "" {
		_, err = io.Copy(to, all)
		return err
	}
	if err := extract(to, tar.NewReader(all), packed, limit); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, all)
	return err
}

// extract writes one file of an archive. One with holes, which take no room in
// the archive, is refused: no provider makes such.
func extract(to io.Writer, t *tar.Reader, packed string, limit int64) error {
	found := false
	for range maxEntries {
		h, err := t.Next()
		switch {
		case err == io.EOF && found:
			return nil
		case err == io.EOF:
			return fmt.Errorf("the archive holds no %s", packed)
		case err != nil:
			return fmt.Errorf("the archive is damaged: %w", err)
		case !filepath.IsLocal(h.Name):
			return fmt.Errorf("the archive names %q, which is outside of it", h.Name)
		case h.Typeflag != tar.TypeReg || path.Base(h.Name) != packed:
			continue
		case found:
			return fmt.Errorf("the archive holds %s twice", packed)
		case sparse(h):
			return fmt.Errorf("the archive holds %s with holes in it", packed)
		}
		found = true
		if _, err := io.Copy(to, &bounded{from: t, left: limit, limit: limit}); err != nil {
			return fmt.Errorf("the archive is damaged: %w", err)
		}
	}
	return fmt.Errorf("the archive has more than %d files", maxEntries)
}

// sparse reports whether a file has holes (PAX extensions of GNU tar).
func sparse(h *tar.Header) bool {
	for name := range h.PAXRecords {
		if strings.HasPrefix(name, "GNU.sparse.") {
			return true
		}
	}
	return false
}

// bounded reads up to a limit; more is an error.
type bounded struct {
	from        io.Reader
	left, limit int64
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		if n, err := b.from.Read(make([]byte, 1)); n == 0 {
			return 0, err
		}
		return 0, fmt.Errorf("it has more than %d octets", b.limit)
	}
	n, err := b.from.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = fmt.Errorf("it ends early: %w", err)
	}
	return n, err
}
