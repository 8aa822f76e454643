# Knative Serving, Eventing and Kourier, and the cluster's names.

install_knative() {
    local folder
    folder="$(place manifests)"
    apply "$folder/coredns.yaml" "$folder/crds.yaml"
    kubectl wait crd --all --for condition=Established --timeout 120s >/dev/null
    apply "$folder/core.yaml"
    wait_for "Knative's webhooks" apply "$folder/late.yaml"
    step "Knative is applied"
    for namespace in kube-system knative-serving kourier-system knative-eventing; do
        kubectl --namespace "$namespace" wait deployment --all --for condition=Available \
            --timeout 300s >/dev/null || die "the deployments in $namespace do not become available"
    done
}

apply() {
    local file
    for file in "$@"; do
        kubectl apply --server-side --force-conflicts -f "$file" >>"$logs/apply.log"
    done
}
