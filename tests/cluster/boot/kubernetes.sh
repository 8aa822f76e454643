# Kubernetes: one node that is control plane and worker.

start_kubernetes() {
    start_etcd
    start_api_server
    start_kube kube-controller-manager --kubeconfig "$keys/kubeconfig" \
        --service-account-private-key-file "$keys/accounts.key" --root-ca-file "$keys/ca.crt" \
        --cluster-signing-cert-file "$keys/ca.crt" --cluster-signing-key-file "$keys/ca.key" \
        --leader-elect=false --bind-address 127.0.0.1
    start_kube kube-scheduler --kubeconfig "$keys/kubeconfig" --leader-elect=false \
        --bind-address 127.0.0.1
    start_kubelet
    start_kube_proxy
    wait_for "the node" node_is_ready
}

# start_kube COMPONENT ARGUMENT...: one of those that are in the one binary.
start_kube() {
    start "$1" "$(place kubernetes)/hyperkube" "$@"
}

start_etcd() {
    # Nothing here has to survive a power cut.
    start etcd "$(place etcd)/etcd" --data-dir /var/lib/etcd --unsafe-no-fsync \
        --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 \
        --listen-peer-urls http://127.0.0.1:2380
}

start_api_server() {
    start_kube kube-apiserver --etcd-servers http://127.0.0.1:2379 \
        --secure-port 6443 --advertise-address "$node_address" \
        --tls-cert-file "$keys/apiserver.crt" --tls-private-key-file "$keys/apiserver.key" \
        --client-ca-file "$keys/ca.crt" --token-auth-file "$keys/tokens.csv" \
        --service-account-issuer https://kubernetes.default.svc.cluster.local \
        --service-account-key-file "$keys/accounts.pub" \
        --service-account-signing-key-file "$keys/accounts.key" \
        --service-cluster-ip-range "$services_range" --authorization-mode RBAC \
        --allow-privileged=true --kubelet-preferred-address-types InternalIP --profiling=false
    wait_for "the API server" kubectl get --raw /readyz
    step "the API server is ready"
    # For tests that look often: the API without TLS, on the node's loopback.
    start proxy "$(place kubernetes)/kubectl" --kubeconfig "$keys/kubeconfig" proxy --port 8001
}

start_kubelet() {
    local settings="$state/node"
    echo "nameserver $no_dns_address" >"$settings/resolv.conf"
    cat >"$settings/kubelet.yaml" <<YAML
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
cgroupDriver: cgroupfs
cgroupRoot: /$node_group
failCgroupV1: false
failSwapOn: false
clusterDNS: [$dns_service_address]
clusterDomain: cluster.local
resolvConf: $settings/resolv.conf
volumePluginDir: /var/lib/kubelet/volume-plugins
authentication: {anonymous: {enabled: true}, webhook: {enabled: false}}
authorization: {mode: AlwaysAllow}
imageGCHighThresholdPercent: 100
evictionHard: {memory.available: 50Mi}
kubeAPIQPS: 200
kubeAPIBurst: 400
YAML
    start_kube kubelet --kubeconfig "$keys/kubeconfig" --config "$settings/kubelet.yaml" \
        --hostname-override node --node-ip "$node_address"
}

start_kube_proxy() {
    local settings="$state/node"
    # The limits of connection tracking are the whole machine's.
    cat >"$settings/kube-proxy.yaml" <<YAML
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: iptables
clusterCIDR: $pods_range
hostnameOverride: node
clientConnection: {kubeconfig: $keys/kubeconfig}
conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
iptables: {minSyncPeriod: 0s, syncPeriod: 30s}
YAML
    start_kube kube-proxy --config "$settings/kube-proxy.yaml"
}

kubectl() {
    inside "$(place kubernetes)/kubectl" --kubeconfig "$keys/kubeconfig" "$@"
}

node_is_ready() {
    [[ "$(kubectl get node node -o jsonpath='{.status.conditions[?(@.type=="Ready")].status}')" == True ]]
}
