"""Which addresses may a stranger's URL lead to? Public ones only: not this machine, not its network, not its cloud's
metadata."""

import ipaddress

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

TUNNELS = tuple(
    ipaddress.ip_network(network) for network in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32")
)
"""IPv6 ranges that carry an IPv4 address inside (RFC 6052, 3056, 4380): what they lead to cannot be seen from here."""
INWARD = tuple(ipaddress.ip_network(network) for network in ("fec0::/10", "192.0.0.0/24", "192.88.99.0/24"))
"""Ranges that lead inward or nowhere, whatever this version of Python takes them for: the site-local addresses that
private IPv6 networks once had (RFC 3879), those of protocols (RFC 6890), and the old road to 6to4 (RFC 7526)."""


def is_public(address: str) -> bool:
    """Tell whether an IP address is one of the public internet. A text that is no address is not."""
    try:
        found: Address = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return is_public(str(found.ipv4_mapped))
        if any(found in network for network in TUNNELS):
            return False
    if any(found in network for network in INWARD if network.version == found.version):
        return False
    return found.is_global and not found.is_multicast and not found.is_reserved
