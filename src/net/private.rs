//! Which addresses belong to the public Internet: what a stranger names is not to lead into one's own network.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A range of addresses: `10.0.0.0/8`, `fd00::/8`, or one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    first: IpAddr,
    bits: u8,
}

impl Range {
    const fn v4(a: u8, b: u8, c: u8, bits: u8) -> Self {
        Self { first: IpAddr::V4(Ipv4Addr::new(a, b, c, 0)), bits }
    }

    const fn v6(a: u16, b: u16, c: u16, bits: u8) -> Self {
        Self { first: IpAddr::V6(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0)), bits }
    }

    /// Whether the address is in the range.
    pub fn contains(&self, address: IpAddr) -> bool {
        let differing = match (self.first, address) {
            (IpAddr::V4(first), IpAddr::V4(address)) => (first.to_bits() ^ address.to_bits()).leading_zeros(),
            (IpAddr::V6(first), IpAddr::V6(address)) => (first.to_bits() ^ address.to_bits()).leading_zeros(),
            _ => return false,
        };
        differing >= u32::from(self.bits)
    }
}

impl FromStr for Range {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mistake = || format!("\"{text}\" is not a range of addresses; write \"10.0.0.0/8\" or \"fd00::/8\"");
        let (first, bits) = text.split_once('/').map_or((text, None), |(first, bits)| (first, Some(bits)));
        let first: IpAddr = first.parse().map_err(|_| mistake())?;
        let most = if first.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Ok(most), str::parse).ok().filter(|bits| *bits <= most).ok_or_else(mistake)?;
        Ok(Self { first, bits })
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.bits)
    }
}

impl Serialize for Range {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Range {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// The special ranges of IPv4 (IANA's registry): this network, private, shared, loopback, link-local (with the metadata services of
/// clouds), protocols, documentation, old relays, benchmarks, multicast, reserved.
const SPECIAL_V4: [Range; 14] = [
    Range::v4(0, 0, 0, 8),
    Range::v4(10, 0, 0, 8),
    Range::v4(100, 64, 0, 10),
    Range::v4(127, 0, 0, 8),
    Range::v4(169, 254, 0, 16),
    Range::v4(172, 16, 0, 12),
    Range::v4(192, 0, 0, 24),
    Range::v4(192, 0, 2, 24),
    Range::v4(192, 88, 99, 24),
    Range::v4(192, 168, 0, 16),
    Range::v4(198, 18, 0, 15),
    Range::v4(198, 51, 100, 24),
    Range::v4(203, 0, 113, 24),
    Range::v4(224, 0, 0, 3),
];
/// What is public in IPv6, and what is special within that: protocols (with Teredo), documentation, 6to4, documentation again.
const PUBLIC_V6: Range = Range::v6(0x2000, 0, 0, 3);
const SPECIAL_V6: [Range; 4] = [
    Range::v6(0x2001, 0, 0, 23),
    Range::v6(0x2001, 0xdb8, 0, 32),
    Range::v6(0x2002, 0, 0, 16),
    Range::v6(0x3fff, 0, 0, 20),
];
/// Where a translator puts IPv4 addresses into IPv6 (RFC 6052).
const TRANSLATED: Range = Range::v6(0x64, 0xff9b, 0, 96);

/// Whether an address belongs to the public Internet.
pub fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => !SPECIAL_V4.iter().any(|range| range.contains(IpAddr::V4(v4))),
        IpAddr::V6(v6) if TRANSLATED.contains(IpAddr::V6(v6)) => {
            let [.., a, b, c, d] = v6.octets();
            is_public(IpAddr::V4(Ipv4Addr::new(a, b, c, d)))
        }
        v6 @ IpAddr::V6(_) => PUBLIC_V6.contains(v6) && !SPECIAL_V6.iter().any(|range| range.contains(v6)),
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::{Range, is_public};

    const PRIVATE: &str = "\
        0.0.0.0 0.1.2.3 10.0.0.1 100.64.0.1 100.127.255.255 127.0.0.1 127.255.255.254 169.254.169.254 172.16.0.1 \
        172.31.255.255 192.0.0.192 192.0.2.1 192.88.99.1 192.168.1.1 198.18.0.1 198.19.255.255 198.51.100.7 \
        203.0.113.7 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255 :: ::1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 \
        ::ffff:169.254.169.254 ::127.0.0.1 64:ff9b::127.0.0.1 64:ff9b::169.254.169.254 64:ff9b:1::1 fc00::1 \
        fd00:ec2::254 fe80::1 fec0::1 ff02::1 2001::1 2001:db8::1 2002:7f00:1::1 2002:a00:1::1 3fff::1 100::1 5f00::1";
    const PUBLIC: &str = "\
        1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 172.15.255.255 172.32.0.0 192.167.255.255 \
        192.169.0.0 223.255.255.255 2606:4700::1111 2a00:1450::1 ::ffff:8.8.8.8 64:ff9b::8.8.8.8";

    #[test]
    fn no_address_of_ones_own_network_is_public() {
        for address in PRIVATE.split_whitespace() {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
        for address in PUBLIC.split_whitespace() {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn a_range_is_an_address_and_how_many_bits_count() {
        let contains =
            |range: &str, address: &str| range.parse::<Range>().unwrap().contains(address.parse::<IpAddr>().unwrap());
        assert!(contains("10.0.0.0/8", "10.255.0.1") && !contains("10.0.0.0/8", "11.0.0.1"));
        assert!(contains("10.1.2.3", "10.1.2.3") && !contains("10.1.2.3", "10.1.2.2"));
        assert!(contains("fd00::/8", "fdab::1") && !contains("fd00::/8", "fe80::1") && !contains("::/0", "10.0.0.1"));
        for text in ["", "10.0.0.0/33", "10.0.0/8", "fd00::/129", "10.0.0.0/-1", "example.com/8", "10.0.0.0/"] {
            let refused = text.parse::<Range>().unwrap_err();
            assert!(refused.contains("is not a range of addresses"), "{refused}");
        }
    }
}
