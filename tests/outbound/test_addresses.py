"""Which addresses are the public internet's? Those of this machine, its network and its cloud are not."""

import pytest

from acestep_serverless.outbound.addresses import is_public


@pytest.mark.parametrize("address", ["1.1.1.1", "93.184.216.34", "2606:4700:4700::1111"])
def test_a_public_address_may_be_called(address):
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.9.9.9", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1"),
        *("169.254.169.254", "224.0.0.1", "240.0.0.1", "255.255.255.255", "192.0.2.1", "198.18.0.1"),
        *("::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "ff02::1", "2001:db8::1"),
        *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "2001::1"),
        *("fec0::1", "feff::1", "192.0.0.8", "192.0.0.10", "192.88.99.1", "::ffff:192.88.99.1"),
        *("", "localhost", "1.1.1", "0x7f.1", "2130706433"),
    ],
)
def test_anything_else_may_not(address):
    assert not is_public(address)
