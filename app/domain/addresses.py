"""Which addresses of the network a tenant may have us call: those of the open internet alone. Pure."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

_NAT64 = IPv6Network("64:ff9b::/96")
_LOCAL = (
    # Where in it the IPv4 address is, and whose, is up to the network that has it.
    IPv6Network("64:ff9b:1::/48"),
    # Site-local: given up, but routed where it is still in use.
    IPv6Network("fec0::/10"),
    # Whichever relay of 6to4 is nearest.
    IPv4Network("192.88.99.0/24"),
)
"""What Python takes for addresses of the internet, in some versions at least."""


def is_public(text: str) -> bool:
    """False for private, loopback, link-local, site-local, metadata, multicast and reserved ones, however they are wrapped in IPv6."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return False
    # Behind a NAT64 the IPv4 address in it is what is called.
    meant = [IPv4Address(int(address) & 0xFFFFFFFF)] if _is_nat64(address) else [address, *_inside(address)]
    return all(_is_open(one) for one in meant)


def is_address(host: str) -> bool:
    try:
        ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def _is_open(address: IPv4Address | IPv6Address) -> bool:
    if any(address in network for network in _LOCAL):
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def _is_nat64(address: IPv4Address | IPv6Address) -> bool:
    return address in _NAT64


def _inside(address: IPv4Address | IPv6Address) -> list[IPv4Address]:
    """The IPv4 addresses that an IPv6 address leads to."""
    if isinstance(address, IPv4Address):
        return []
    found = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    return [one for one in found if one is not None]
