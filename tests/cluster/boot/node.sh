# The node: a machine within the machine, with namespaces of its own for network, mounts and
# processes. When its first process is killed the kernel ends everything on it, and takes its mounts
# and its network away: nothing can be left behind, however the tests end.

node_group="dormouse-$(cksum <<<"$state" | cut -d' ' -f1)"

# begin_node: the namespaces, with nothing in them but the first process.
begin_node() {
    local pause launcher first
    pause="$(place pause)/pause"
    setsid unshare --net --mount --pid --fork --kill-child --mount-proc -- \
        "$cluster_folder/boot/become_node" "$pause" "$state" "$cache" "$state" "$tree" \
        >"$logs/node.log" 2>&1 </dev/null &
    launcher=$!
    for _ in $(seq 100); do
        first="$(cat "/proc/$launcher/task/$launcher/children" 2>/dev/null || true)"
        first="${first%% *}"
        if [[ -n "$first" && "$(readlink "/proc/$first/exe")" == "$pause" ]]; then
            echo "$first" >"$state/first.pid"
            make_groups
            return
        fi
        sleep 0.1
    done
    kill -KILL "$launcher" 2>/dev/null || true
    cat "$logs/node.log" >&2
    die "the node did not come up: see $logs/node.log"
}

# first_process: its pid, if there is a node. A pid that now belongs to somebody else is not it.
first_process() {
    local first
    first="$(cat "$state/first.pid" 2>/dev/null)" || return 1
    [[ "$(readlink "/proc/$first/exe")" == */pause-*/pause ]] && echo "$first"
}

# inside COMMAND...: runs it on the node.
inside() {
    nsenter --target "$(<"$state/first.pid")" --net --mount --pid -- "$@"
}

# start NAME COMMAND...: runs it on the node until that is gone; what it says is in the logs.
start() {
    local name="$1"
    shift
    setsid nsenter --target "$(<"$state/first.pid")" --net --mount --pid -- "$@" \
        >"$logs/$name.log" 2>&1 </dev/null &
    started[$!]="$name"
}
declare -A started

# wait_for WHAT COMMAND...: until the command succeeds; gives up when something that was started has
# ended, or after some minutes.
wait_for() {
    local what="$1" pid
    shift
    for _ in $(seq 900); do
        "$@" >/dev/null 2>"$logs/waiting" && return
        for pid in "${!started[@]}"; do
            kill -0 "$pid" 2>/dev/null || give_up "$what: ${started[$pid]} has ended" "${started[$pid]}"
        done
        sleep 0.2
    done
    give_up "waited in vain for $what: $(tail -n 1 "$logs/waiting")"
}

# give_up WHY [NAME]: with the last words of who has ended.
give_up() {
    [[ -z "${2:-}" ]] || tail -n 20 "$logs/$2.log" >&2
    die "$1"
}

# The control groups of the pods: in each hierarchy of version 1, or in the only one of version 2.
groups() {
    local hierarchy hierarchies=(/sys/fs/cgroup)
    [[ -e /sys/fs/cgroup/cgroup.procs ]] || hierarchies=(/sys/fs/cgroup/*)
    for hierarchy in "${hierarchies[@]}"; do
        [[ -L "$hierarchy" || ! -e "$hierarchy/cgroup.procs" ]] || echo "$hierarchy/$node_group"
    done
}

make_groups() {
    local group file cpus=/sys/fs/cgroup/cpuset
    while read -r group; do
        mkdir -p "$group"
    done < <(groups)
    # Version 1 gives a new group no processors.
    for file in cpuset.cpus cpuset.mems; do
        [[ ! -e "$cpus/$file" ]] || cat "$cpus/$file" >"$cpus/$node_group/$file"
    done
}

remove_groups() {
    local group
    while read -r group; do
        [[ ! -d "$group" ]] || find "$group" -depth -type d -exec rmdir {} \; 2>/dev/null || true
        [[ ! -d "$group" ]] || return 1
    done < <(groups)
}

# end_node: kills everything on it and removes what it kept, but for the logs.
end_node() {
    local first
    if first="$(first_process)"; then
        kill -KILL "$first"
        while kill -0 "$first" 2>/dev/null; do sleep 0.05; done
    fi
    # The kernel may still be busy with those that were killed.
    for _ in $(seq 100); do
        remove_groups && break
        sleep 0.1
    done
    rm -rf "$state/node" "$keys" "$state/first.pid" "$logs/containers"
}
