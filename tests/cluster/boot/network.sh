# The node's network. None of these addresses leads out of it: they are set aside for measurements
# (RFC 2544), and the node has no way to any other network.

node_address=198.18.0.1
pods_range=198.18.64.0/18
services_range=198.18.128.0/18
api_service_address=198.18.128.1
dns_service_address=198.18.128.10
# Nobody answers here: names outside of the cluster are not resolved.
no_dns_address=198.18.255.53

make_network() {
    inside ip link set lo up
    # A wire to nowhere: what no rule of a service translates stays here.
    inside ip link add node0 type veth peer name node1
    inside ip link set node1 up
    inside ip address add "$node_address/18" dev node0
    inside ip link set node0 up
    inside ip route add default dev node0
    inside bash -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
}
