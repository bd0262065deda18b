package landfall

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The arrows of ARCHITECTURE.md, enforced by reading the files: shelling out
// to the go command would let the test cache hide a break.

// folders are the only folders with code beside the root package. Modules of
// their own, such as bench, are no part of this one.
var folders = []string{"geodns", "edge", "mesh", "origin", "certs", "cmd"}

// doors name, for each heavy dependency, the only packages whose non-test
// code may import it.
var doors = map[string][]string{
	"github.com/miekg/dns":                    {"geodns", "geodns/dnssec", "geodns/dnssec/bundle", "geodns/dnssec/look", "geodns/tap", "geodns/zone", "geodns/zone/master", "cmd/internal/doctor", "cmd/lab"},
	"github.com/oschwald/geoip2-golang/v2":    {"geodns/locate"},
	"github.com/oschwald/maxminddb-golang/v2": {"geodns/locate"},
	"github.com/maxmind/mmdbwriter":           {"cmd/internal/coarse", "cmd/lab"},
	"golang.zx2c4.com/wireguard":              {"mesh/wg"},
	"golang.zx2c4.com/wireguard/tun":          {"mesh/wg", "mesh/tun"},
	"gvisor.dev/gvisor":                       {"mesh/netstack"},
	"github.com/gorilla/websocket":            {"origin/socket"},
	"modernc.org/sqlite":                      {"origin/store/sqlite"},
	"github.com/pelletier/go-toml/v2":         {"cmd/internal/config"},
	"github.com/spf13/cobra":                  {"cmd/internal/cli"},
	"github.com/spf13/pflag":                  {"cmd/internal/cli"},
	"github.com/coreos/go-systemd/v22":        {"cmd/internal/systemd"},
	"golang.org/x/crypto/acme":                {"certs"},
	"github.com/rogpeppe/go-internal":         {},
	"github.com/go-zookeeper/zk":              {"origin/coord/zookeeper"},
	"github.com/redis/go-redis/v9":            {"origin/bus/redis"},
	"go.mongodb.org/mongo-driver/v2":          {"origin/store/mongo"},
	"github.com/jackc/pgx/v5":                 {"origin/accounts/postgres"},
	"github.com/cilium/ebpf":                  {"geodns"},
	"golang.org/x/":                           {"*"},
	"github.com/oschwald/geoip2-golang":       {},
	"github.com/oschwald/maxminddb-golang":    {},
}

// pure packages take values and return values.
var pure = []string{"geodns/prefix", "geodns/steer", "geodns/plan", "geodns/budget", "geodns/dnssec/roll", "edge/route", "mesh/peers", "mesh/path", "mesh/probe", "mesh/pmtu", "mesh/fragment", "mesh/relay", "mesh/class", "mesh/tun/filter"}

// impure is what a pure package has no use for.
var impure = []string{"net", "net/http", "os", "io/fs", "log", "log/slog", "math/rand", "math/rand/v2", "crypto/rand", "context", "sync", "sync/atomic", "syscall"}

type source struct {
	pkg     string // folder from the root, "." for the root package
	file    string
	test    bool
	imports []string
	tree    *ast.File
}

func sources(t *testing.T) []source {
	t.Helper()
	var out []source
	err := filepath.WalkDir(".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() && p != "." && (strings.HasPrefix(name, ".") || name == "testdata" || name == "node_modules" || isModule(p)) {
			return fs.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(name, ".go") {
			return nil
		}
		tree, err := parser.ParseFile(token.NewFileSet(), p, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		s := source{pkg: filepath.ToSlash(filepath.Dir(p)), file: p, test: strings.HasSuffix(name, "_test.go"), tree: tree}
		for _, i := range tree.Imports {
			imp, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				return err
			}
			s.imports = append(s.imports, imp)
		}
		out = append(out, s)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(out) < 10 {
		t.Fatalf("only %d Go files found: the test looks in the wrong place", len(out))
	}
	return out
}

// isModule reports whether a directory has a go.mod of its own.
func isModule(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "go.mod"))
	return err == nil
}

func TestArrows(t *testing.T) {
	for _, s := range sources(t) {
		top, _, _ := strings.Cut(s.pkg, "/")
		if s.pkg != "." && !slices.Contains(folders, top) {
			t.Errorf("%s: no code goes into the folder %q", s.file, top)
		}
		for _, imp := range s.imports {
			if why := badImport(s, top, imp); why != "" {
				t.Errorf("%s imports %q: %s", s.file, imp, why)
			}
		}
	}
}

func badImport(s source, top, imp string) string {
	if imp == "landfall" {
		return ""
	}
	if ours, ok := strings.CutPrefix(imp, "landfall/"); ok {
		return badOwn(s, top, ours)
	}
	if first, _, _ := strings.Cut(imp, "/"); !strings.Contains(first, ".") {
		return "" // the standard library
	}
	if s.test {
		return ""
	}
	if s.pkg == "." {
		return "the root package uses the standard library only"
	}
	return badDoor(s.pkg, imp)
}

func badOwn(s source, top, ours string) string {
	target, _, _ := strings.Cut(ours, "/")
	switch {
	case s.pkg == ".":
		return "the root package imports nobody"
	case top == "cmd":
		return ""
	case target != top:
		return fmt.Sprintf("%s and %s never import each other", top, target)
	case ours == top && s.pkg != top && !s.test:
		return "a sub-package does not import the top package of its folder"
	}
	return ""
}

// badDoor finds the longest entry of doors that imp falls under.
func badDoor(pkg, imp string) string {
	best, found := "", false
	for dep := range doors {
		under := imp == dep || strings.HasPrefix(imp, strings.TrimSuffix(dep, "/")+"/")
		if under && len(dep) >= len(best) {
			best, found = dep, true
		}
	}
	switch allowed := doors[best]; {
	case !found:
		return "a dependency without a door: name its one importer in imports_test.go and the reason in go.mod"
	case slices.Contains(allowed, "*"), slices.Contains(allowed, pkg):
		return ""
	default:
		return fmt.Sprintf("its door is %v", allowed)
	}
}

func TestPurePackagesStayPure(t *testing.T) {
	clock := []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "NewTimer", "NewTicker", "Tick"}
	for _, s := range sources(t) {
		if s.test || !slices.Contains(pure, s.pkg) {
			continue
		}
		for _, imp := range s.imports {
			if slices.Contains(impure, imp) {
				t.Errorf("%s imports %q, but %s is pure", s.file, imp, s.pkg)
			}
		}
		ast.Inspect(s.tree, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if x, ok := sel.X.(*ast.Ident); ok && x.Name == "time" && slices.Contains(clock, sel.Sel.Name) {
				t.Errorf("%s uses time.%s, but %s is pure", s.file, sel.Sel.Name, s.pkg)
			}
			return true
		})
	}
}

func TestEveryPackageSaysWhatItIs(t *testing.T) {
	documented := map[string]bool{}
	for _, s := range sources(t) {
		if s.test {
			continue
		}
		documented[s.pkg] = documented[s.pkg] || s.tree.Doc != nil
	}
	for pkg, ok := range documented {
		if !ok {
			t.Errorf("package %s has no doc comment", path.Join("landfall", pkg))
		}
	}
}

func TestNoInitAndNoBlankImports(t *testing.T) {
	for _, s := range sources(t) {
		if s.test {
			continue
		}
		for _, d := range s.tree.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
				t.Errorf("%s has an init function", s.file)
			}
		}
		for _, i := range s.tree.Imports {
			// A database/sql driver can be had in no other way.
			if i.Name != nil && i.Name.Name == "_" && i.Path.Value != `"embed"` && i.Path.Value != `"modernc.org/sqlite"` {
				t.Errorf("%s imports %s for its effects", s.file, i.Path.Value)
			}
		}
	}
}
