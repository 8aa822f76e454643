# Certificates, keys and the way in: new for every cluster, and gone with it.

make_keys() {
    local token
    mkdir -p "$keys"
    chmod 700 "$keys"
    {
        openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=dormouse-test-cluster \
            -keyout "$keys/ca.key" -out "$keys/ca.crt"
        openssl req -newkey rsa:2048 -nodes -subj /CN=kube-apiserver \
            -keyout "$keys/apiserver.key" -out "$keys/apiserver.csr"
        openssl x509 -req -days 30 -in "$keys/apiserver.csr" -out "$keys/apiserver.crt" \
            -CA "$keys/ca.crt" -CAkey "$keys/ca.key" -CAcreateserial \
            -extfile <(printf 'subjectAltName=%s' "$(IFS=, && echo "${api_names[*]}")")
        openssl genrsa -out "$keys/accounts.key" 2048
        openssl rsa -in "$keys/accounts.key" -pubout -out "$keys/accounts.pub"
    } 2>"$logs/openssl.log"
    token="$(openssl rand -hex 16)"
    echo "$token,admin,admin,system:masters" >"$keys/tokens.csv"
    cat >"$keys/kubeconfig" <<YAML
apiVersion: v1
kind: Config
clusters:
- name: test
  cluster: {server: "https://127.0.0.1:6443", certificate-authority: $keys/ca.crt}
users:
- name: admin
  user: {token: $token}
contexts:
- name: test
  context: {cluster: test, user: admin}
current-context: test
YAML
}

# By what the API server is called.
api_names=(
    DNS:localhost
    DNS:kubernetes DNS:kubernetes.default DNS:kubernetes.default.svc
    DNS:kubernetes.default.svc.cluster.local
    IP:127.0.0.1 "IP:$api_service_address" "IP:$node_address"
)
