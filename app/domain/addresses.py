"""Which addresses of the network a tenant may have us call: those of the open internet alone. Pure."""

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

_NAT64 = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"))


def is_public(text: str) -> bool:
    """False for private, loopback, link-local, metadata, multicast and reserved ones, however they are wrapped in IPv6."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return False
    # Behind a NAT64 the IPv4 address in it is what is called.
    meant = [IPv4Address(int(address) & 0xFFFFFFFF)] if _is_nat64(address) else [address, *_inside(address)]
    return all(one.is_global and not one.is_multicast and not one.is_reserved for one in meant)


def is_address(host: str) -> bool:
    try:
        ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def _is_nat64(address: IPv4Address | IPv6Address) -> bool:
    return isinstance(address, IPv6Address) and any(address in network for network in _NAT64)


def _inside(address: IPv4Address | IPv6Address) -> list[IPv4Address]:
    """The IPv4 addresses that an IPv6 address leads to."""
    if isinstance(address, IPv4Address):
        return []
    found = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    return [one for one in found if one is not None]
