# Where everything is, and how these scripts speak. The others read this file first.
#
#   DORMOUSE_CACHE     what was built for the cluster survives in its folder `cluster`
#                      (default: ~/.cache/dormouse)
#   CARGO_TARGET_DIR   a running cluster keeps its state and its logs in its folder `cluster`
#                      (default: target)

cluster_folder="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
tree="$(cd "$cluster_folder/../.." && pwd)"
components="$cluster_folder/components"
cache="${DORMOUSE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/dormouse}/cluster"
target="${CARGO_TARGET_DIR:-$tree/target}"
state="$(realpath --canonicalize-missing "$target/cluster")"
logs="$state/logs"
keys="$state/keys"

say() {
    echo "cluster: $*"
}

die() {
    echo "cluster: $*" >&2
    exit 1
}

# step WHAT: says what has been reached, and after how many seconds.
began="$(date +%s.%N)"
step() {
    printf 'cluster: %6.1f s  %s\n' "$(bc <<<"$(date +%s.%N) - $began")" "$*"
}

# sources COMPONENT: the files that it is made of.
sources() {
    find "$components/$1" -type f
    case "$1" in
        manifests) sources knative ;;
        images)
            local part
            for part in pause coredns envoy knative; do sources "$part"; done
            echo "$tree/docker/pack.py"
            ;;
    esac
}

# place COMPONENT: the folder where it is, or will be, once it is built. It is named after the very
# sources, so that a change of them is built anew and nothing else is.
place() {
    local hash
    hash="$(sources "$1" | LC_ALL=C sort | xargs cat | sha256sum | cut -c1-16)"
    echo "$cache/$1-$(uname -m)-$hash"
}
