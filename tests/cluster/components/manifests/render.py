"""Writes the manifests of Knative Serving, Eventing and Kourier as a small test cluster takes them.

    render.py OUT SERVING EVENTING NETWORKING CACHING KOURIER

The folders are those of the Go modules. OUT gets, to be applied in this order: crds.yaml, core.yaml,
and late.yaml, which the webhooks of the second one must let pass.
"""

import glob
import os
import re
import sys

import yaml

# What our machine does without.
UNWANTED_KINDS = {"HorizontalPodAutoscaler", "PodDisruptionBudget"}
UNWANTED = {
    ("Deployment", "job-sink"),
    ("Deployment", "pingsource-mt-adapter"),
    ("Deployment", "request-reply"),
    ("Service", "job-sink"),
    ("Service", "request-reply"),
    ("StatefulSet", "request-reply"),
}

# Kinds in the order that they are applied in; those that are not here come between.
FIRST = [
    {"ServiceAccount", "ClusterRole", "Role"},
    {"ClusterRoleBinding", "RoleBinding"},
    {"ConfigMap", "Secret"},
    {"Service"},
    {"Deployment", "StatefulSet"},
]
LAST = {"MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"}
# Kinds of Knative's own, which its webhooks admit.
LATE = {"Certificate", "Image"}

# Settings: (ConfigMap, key, value). The windows are the shortest that Knative admits, so that what
# is idle sleeps soon; no registry is asked for what the images' tags mean.
SETTINGS = [
    ("config-network", "ingress-class", "kourier.ingress.networking.knative.dev"),
    ("config-domain", "example.com", ""),
    ("config-autoscaler", "stable-window", "6s"),
    ("config-autoscaler", "scale-to-zero-grace-period", "6s"),
    ("config-deployment", "registries-skipping-tag-resolving", "dev.local,index.docker.io"),
]


def main():
    out, serving, eventing, networking, caching, kourier = sys.argv[1:]
    crds, core = [], []
    for document in [
        *load(networking, "config/certificate.yaml", "config/domain-claim.yaml"),
        *load(networking, "config/ingress.yaml", "config/serverlessservice.yaml"),
        *load(caching, "config/image.yaml"),
        *load(serving, "config/core/300-resources/*.yaml"),
        *load(eventing, "config/core/resources/*.yaml"),
        *load(eventing, "config/channels/in-memory-channel/resources/*.yaml"),
    ]:
        (crds if document["kind"] == "CustomResourceDefinition" else core).append(document)
    core += serving_core(serving, networking) + load(kourier, "config/*.yaml")
    core += eventing_core(eventing)
    core = [prepare(document) for document in core if is_wanted(document)]
    late = [document for document in core if document["kind"] in LATE]
    core = sorted((document for document in core if document["kind"] not in LATE), key=rank)
    write(os.path.join(out, "crds.yaml"), crds)
    write(os.path.join(out, "core.yaml"), core)
    write(os.path.join(out, "late.yaml"), late)


def serving_core(serving, networking):
    return [
        *load(serving, "config/core/100-namespace.yaml", "config/core/200-roles/*.yaml"),
        *load(serving, "config/core/200-serviceaccount.yaml", "config/core/configmaps/*.yaml"),
        *load(networking, "config/config-network.yaml"),
        *load(serving, "config/core/deployments/*.yaml", "config/core/webhooks/*.yaml"),
        *load(serving, "config/core/300-knativecertificate.yaml", "config/core/999-cache.yaml"),
    ]


def eventing_core(eventing):
    return load(
        eventing,
        "config/core/100-namespace.yaml",
        "config/core/*serviceaccount.yaml",
        "config/core/roles/*.yaml",
        "config/core/configmaps/*.yaml",
        # The controller waits for these, used or not.
        "third_party/eventing-integrations-latest/*-images.yaml",
        "config/core/deployments/*.yaml",
        "config/core/webhooks/*.yaml",
        "config/channels/in-memory-channel/*.yaml",
        "config/channels/in-memory-channel/configmaps/*.yaml",
        "config/channels/in-memory-channel/roles/*.yaml",
        "config/channels/in-memory-channel/deployments/*.yaml",
        "config/channels/in-memory-channel/webhooks/*.yaml",
        "config/brokers/mt-channel-broker/roles/*.yaml",
        "config/brokers/mt-channel-broker/deployments/*.yaml",
    )


def load(module, *patterns):
    """The documents of a module's files, with the names of our images."""
    documents = []
    for pattern in patterns:
        paths = sorted(glob.glob(os.path.join(module, pattern)))
        if not paths:
            raise SystemExit(f"render.py: {module} has no {pattern}")
        for path in paths:
            with open(path, encoding="utf-8") as file:
                text = re.sub(r"ko://([\w./-]+)", image, file.read())
            documents += [document for document in yaml.safe_load_all(text) if document]
    return documents


def image(match):
    """knative.dev/serving/cmd/queue is in the image dev.local/serving-queue:1."""
    name = match.group(1).removeprefix("knative.dev/").replace("/cmd/", "-", 1)
    return "dev.local/" + re.sub("[/_]", "-", name) + ":1"


def is_wanted(document):
    kind, name = document["kind"], document["metadata"]["name"]
    return kind not in UNWANTED_KINDS and (kind, name) not in UNWANTED


def prepare(document):
    kind, name = document["kind"], document["metadata"]["name"]
    if kind in ("Deployment", "StatefulSet"):
        prepare_workload(document["spec"])
    if kind == "ConfigMap":
        ours = {key: value for config, key, value in SETTINGS if config == name}
        if ours:
            document.setdefault("data", {}).update(ours)
    if (kind, name) == ("Deployment", "3scale-kourier-gateway"):
        envoy = document["spec"]["template"]["spec"]["containers"][0]
        envoy["image"] = "dev.local/envoy:1"
        # It would need a shell.
        envoy.pop("lifecycle", None)
    if (kind, name) == ("Service", "kourier"):
        document["spec"]["type"] = "NodePort"
    return document


def prepare_workload(spec):
    """No reserved resources, images as they were imported, and readiness asked for often."""
    spec.pop("strategy", None)
    for container in spec["template"]["spec"]["containers"]:
        container.pop("resources", None)
        container["imagePullPolicy"] = "Never"
        probe = container.get("readinessProbe")
        if probe:
            probe.update(periodSeconds=1, failureThreshold=30)
            probe.pop("initialDelaySeconds", None)


def rank(document):
    if document["kind"] == "Namespace":
        return 0
    if document["kind"] in LAST:
        return len(FIRST) + 3
    for place, kinds in enumerate(FIRST, start=1):
        if document["kind"] in kinds:
            return place
    return len(FIRST) + 2


def write(path, documents):
    # A namespace or a ConfigMap that two modules bring: the same object, applied once.
    unique = {
        (each["kind"], each["metadata"].get("namespace"), each["metadata"]["name"]): each
        for each in documents
    }
    with open(path, "w", encoding="utf-8") as file:
        yaml.safe_dump_all(unique.values(), file, sort_keys=False, width=sys.maxsize)


if __name__ == "__main__":
    main()
