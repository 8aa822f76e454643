# Volumes: what a provisioner would make when it is claimed is here from the start, in folders of the
# node. They are of the default class; one that was used is not used again.

volumes=40

make_volumes() {
    local number folder="$state/node/lib/volumes"
    {
        cat <<YAML
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata:
  name: local
  annotations: {storageclass.kubernetes.io/is-default-class: "true"}
provisioner: kubernetes.io/no-provisioner
volumeBindingMode: WaitForFirstConsumer
YAML
        for number in $(seq "$volumes"); do
            mkdir -p "$folder/$number"
            cat <<YAML
---
apiVersion: v1
kind: PersistentVolume
metadata: {name: volume-$number}
spec:
  storageClassName: local
  accessModes: [ReadWriteOnce]
  capacity: {storage: 10Gi}
  local: {path: /var/lib/volumes/$number}
  nodeAffinity:
    required:
      nodeSelectorTerms:
        - matchExpressions: [{key: kubernetes.io/hostname, operator: In, values: [node]}]
YAML
        done
    } | kubectl apply --server-side -f - >>"$logs/apply.log"
}
