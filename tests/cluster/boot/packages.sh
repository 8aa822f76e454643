# The programs of the distribution that a node needs.

# The network plugins of Kubernetes, wherever a distribution has put them.
plugins() {
    local folder
    for folder in /usr/lib/cni /opt/cni/bin /usr/libexec/cni; do
        if [[ -x "$folder/ptp" && -x "$folder/portmap" ]]; then
            echo "$folder"
            return
        fi
    done
}

# The Debian packages of what is not there yet, one a line.
missing_packages() {
    local program package
    while read -r program package; do
        PATH="$PATH:/usr/sbin:/sbin" command -v "$program" >/dev/null || echo "$package"
    done <<'LIST'
containerd containerd
runc runc
ip iproute2
iptables iptables
bc bc
openssl openssl
nsenter util-linux
flock util-linux
cc gcc
strip binutils
curl curl
python3 python3-venv
LIST
    [[ -n "$(plugins)" ]] || echo containernetworking-plugins
}

install_packages() {
    local missing as_root=()
    missing="$(missing_packages | sort -u)"
    [[ -n "$missing" ]] || return 0
    say "installing" $missing
    [[ "$(id -u)" == 0 ]] || as_root=(sudo)
    command -v apt-get >/dev/null || die "there is no apt-get here: install these yourself, then try again"
    "${as_root[@]}" apt-get update --quiet=2
    # shellcheck disable=SC2086 # one word a package
    DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install --quiet=2 --yes --no-install-recommends $missing >/dev/null
}
