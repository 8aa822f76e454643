# containerd, the network plugins, and the images, which come from nowhere but this machine.

start_containerd() {
    local settings="$state/node"
    mkdir -p "$settings/networks"
    cat >"$settings/networks/pods.conflist" <<JSON
{
  "cniVersion": "0.4.0",
  "name": "pods",
  "plugins": [
    {
      "type": "ptp",
      "ipMasq": true,
      "ipam": {
        "type": "host-local",
        "ranges": [[{"subnet": "$pods_range"}]],
        "routes": [{"dst": "0.0.0.0/0"}]
      }
    },
    {"type": "portmap", "capabilities": {"portMappings": true}}
  ]
}
JSON
    # Who may not raise limits cannot make pods harder to kill than the node.
    cat >"$settings/containerd.toml" <<TOML
version = 2
[plugins."io.containerd.internal.v1.opt"]
  path = "/var/lib/containerd/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "dev.local/pause:1"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "$(plugins)"
    conf_dir = "$settings/networks"
TOML
    start containerd containerd --config "$settings/containerd.toml"
    wait_for containerd containers version
}

# containers ARGUMENT...: containerd's own client.
containers() {
    inside ctr --namespace k8s.io "$@"
}

# import_images ARCHIVE...
import_images() {
    local archive
    for archive in "$@"; do
        containers images import - <"$archive" >/dev/null
    done
}
