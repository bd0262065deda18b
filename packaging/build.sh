#!/bin/sh
# Builds the Debian packages: VERSION=1.2.3 ARCHES="amd64 arm64" packaging/build.sh
#
# Of one commit one Go toolchain always makes the same bytes, wherever it runs:
# all times are the commit's. VERSION is the tag of the commit unless given, or
# says of which commit it is. The packages go to $OUT (bin), and carry the name
# of $MAINTAINER, or of the commit's author.
set -eu
umask 022
export LC_ALL=C TZ=UTC GOAMD64=v1 GOARM64=v8.0

cd "$(dirname "$0")/.."
root=$PWD
out=${OUT:-bin}
epoch=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
export SOURCE_DATE_EPOCH="$epoch"
version=${VERSION:-$(git describe --tags --exact-match --match 'v[0-9]*' 2>/dev/null | sed 's/^v//')}
version=${version:-0.0.0~git$(date -d "@$epoch" +%Y%m%d%H%M%S).$(git rev-parse --short=12 HEAD)}
maintainer=${MAINTAINER:-$(git log -1 --format='%an <%ae>')}

stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
ln -s "$root/packaging" "$stage/packaging"
mkdir -p "$out" "$stage/bin"
out=$(cd "$out" && pwd)

build() { # build GOARCH FILE
	CGO_ENABLED=0 GOOS=linux GOARCH=$1 go build -trimpath -buildvcs=auto -ldflags=-s -o "$2" ./cmd/landfall
}

# licences prints those of all that is linked into the program.
licences() {
	printf 'The Go standard library and runtime\n\n' && cat "$(go env GOROOT)/LICENSE"
	CGO_ENABLED=0 GOOS=linux GOARCH=$1 go list -deps \
		-f '{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}} {{.Dir}}{{end}}{{end}}' ./cmd/landfall |
		sort -u | while read -r module release dir; do
		printf '\n\n======== %s %s\n' "$module" "$release"
		find "$dir" -maxdepth 1 -type f \( -iname 'licen[cs]e*' -o -iname 'copying*' -o -iname 'notice*' -o -iname 'patents*' \) |
			sort | while read -r file; do printf '\n' && cat "$file"; done
	done
}

# changelog is of the form that Debian wants, and refers to ours.
changelog() {
	printf 'landfall (%s) unstable; urgency=medium\n\n  * See CHANGELOG.md.gz.\n\n -- %s  %s\n' \
		"$version" "$maintainer" "$(date -R -d "@$epoch")"
}

# What is the same for every architecture is made by a program of this one.
build "$(go env GOHOSTARCH)" "$stage/bin/landfall"
go -C packaging build -o "$stage/bin/nfpm" github.com/goreleaser/nfpm/v2/cmd/nfpm
mkdir -p "$stage/stage/man" "$stage/stage/completion" "$stage/stage/doc"
"$stage/bin/landfall" man "$stage/stage/man"
for shell in bash zsh fish; do
	"$stage/bin/landfall" completion $shell >"$stage/stage/completion/$shell"
done
changelog >"$stage/stage/doc/changelog"
cp CHANGELOG.md "$stage/stage/doc/CHANGELOG.md"
cp README.md "$stage/stage/doc/README.md"

for arch in ${ARCHES:-amd64 arm64}; do
	build "$arch" "$stage/stage/landfall"
	licences "$arch" >"$stage/stage/doc/third-party"
	find "$stage/stage/man" "$stage/stage/doc" -type f ! -name '*.gz' -exec gzip -9nf {} +
	(
		cd "$stage"
		ARCH=$arch VERSION=$version MAINTAINER=$maintainer \
			bin/nfpm package --config packaging/nfpm.yaml --packager deb --target "$out/landfall_${version}_$arch.deb"
	)
done
